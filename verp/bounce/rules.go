package bounce

// rule names a category by words that systems use for it. Text is matched in
// lower case, with runs of spaces as one and addresses left out; '*' stands
// for up to 60 octets.
//
// The rules are tried in this order, and the first that matches decides. What
// says more about the recipient comes first; within that, what is more exact.
type rule struct {
	category Category
	patterns []string
	// example is a reply as some system writes it.
	example string
	grade   grade
	// absent: sentences that say of such a noun, in whatever words, that there
	// is none match as well (see absence.go).
	absent class
	// waiting: what ExpiredInQueue is of a mail that is still under way.
	waiting Category
}

// grade says how far words alone can be trusted.
type grade uint8

const (
	exact grade = iota // the words leave no doubt
	weak               // they leave some: a status code of policy says more
	loose              // they also occur in the set phrases of notices
	vague              // they only say that something was refused
)

var textRules = []rule{
	{category: HostUnknown, patterns: []string{
		"host does not accept mail", "domain does not accept mail", "does not accept mail (nullmx)", "null mx", "nullmx",
		"recipient address has null mx", "domain of recipient does not accept", "does not accept email",
		"is not accepting any email", "mx record points to \".\"", "nullmx record",
	}, example: "556 5.1.10 Domain does not accept mail (nullMX)"},
	{category: System, patterns: []string{
		"too many hops", "hop count exceeded", "mail loop", "maximum hop count", "loops back to", "routing loop",
		"mail forwarding loop", "message looping",
		"loop detected", "points to local host", "best-preference mx", "too many received", "hop limit",
		"more than the maximum allowed times", "forwarding loop",
		"taking up the same mail again", "delivery loop", "would loop",
	}, example: "554 5.4.6 Too many hops 26 (25 max)"},
	{category: Policy, patterns: []string{
		"sender address rejected", "sender rejected", "sender denied", "sender refused", "sender domain does",
		"sender domain not", "sender domain must", "sender domain is", "domain of sender", "sender's domain",
		"sender verify failed", "sender not found", "sender unknown", "unknown sender", "mail from domain",
		"from domain", "sender address", "invalid sender", "bad sender", "sender is not valid", "from address",
		"envelope sender", "sender does not exist", "sender* does not exist",
	}, example: "553 5.1.8 <news@example.com>: Sender address rejected: Domain not found"},
	{category: MailboxFull, patterns: []string{
		"too much mail data", "too many messages in", "too many messages on this", "mailbox too large",
		"mailbox is too large",
	}, example: "550 too many messages in mailbox"},
	{category: Disabled, patterns: []string{
		"mailbox is blocked", "account is blocked", "recipient is blocked", "user is blocked", "mailbox blocked",
		"user blocked", "account blocked",
	}, example: "554 This account is blocked"},
	{category: Filtered, patterns: []string{
		"blocked by recipient", "not accepting mail from", "blocked by user", "blocked by the recipient",
		"blocked by the user", "blocked your", "has blocked you",
	}, example: "550 sender blocked by recipient"},
	{category: HostUnknown, patterns: []string{
		"non-existing domain", "non-existent domain", "nonexistent domain", "domain* couldn't be found",
		"domain* could not be found", "domain* no longer exists", "domain does not exist", "domain doesn't exist",
		"domain unknown", "unknown domain",
	}, example: "550 5.4.310 DNS domain no.example does not exist: domain doesn't exist"},
	{category: MailboxUnknown, patterns: []string{
		"user unknown", "unknown user", "no such user", "user not known", "unknown recipient", "recipient unknown",
		"unknown local part",
		"unknown mailbox", "mailbox unknown", "no such recipient", "no such mailbox",
		"recipient name is not recognized", "no such person", "no such address", "no such account",
		"no such local user", "no such email", "no such alias", "no mailbox here", "no mailbox by that name",
		"no mailbox found", "no account by that name", "no account found",
		"user does not exist", "user doesn't exist", "user not exist", "user doesnt exist", "users does not exist",
		"user* does not exist", "user *doesn't have a", "doesn't have an account",
		"user not found", "user could not be found", "user cannot be found", "recipient not found",
		"recipient could not be found", "recipnotfound", "recipientnotfound", "mailbox not found",
		"mailbox does not exist", "mailbox doesn't exist", "account does not exist", "account doesn't exist",
		"account that you tried to reach does not exist", "account that does not exist",
		"recipient does not exist", "recipient doesn't exist", "address does not exist", "address doesn't exist",
		"email does not exist",
		"non-existent mailbox", "nonexistent mailbox", "nonexistent user", "non-existent user", "non existent user",
		"nonexistent recipient", "nonexistent address", "not existing recipient",
		"not a valid mailbox", "not a valid user", "not a valid recipient", "is not a known user",
		"unknown address", "address unknown",
		"unknown email address",
		"invalid mailbox", "invalid recipient", "invalid user", "invalid final delivery user",
		"invalid local address", "recipient address is not valid", "bad destination mailbox",
		"addressee unknown",
		"address not found",
		"address couldn't be found", "address could not be found",

		"cannot find your recipient", "recipient cannot be verified", "could not verify recipient",
		"recipient verify failed", "recipient verification failed",
		"not listed in domino", "not listed in public", "not listed in the directory", "not listed in address", "not listed in name", "name & address book", "not found in directory", "not found in domino directory",
		"is not in the list of recipients", "is not a user", "isn't a user", "not our customer", "not my customer",

		"no longer has an account",
		"account has been deleted", "mailbox has been deleted", "user has been deleted", "address has been deleted", "account has been removed", "mailbox has been removed", "user has been removed", "address has been removed", "account was deleted", "mailbox was deleted", "account deleted", "account has been closed",
		"account is closed", "mailbox closed", "account terminated", "user is terminated", "user terminated",

		"no one by that name", "sorry, no mailbox",
		"there is no one at this address", "does not have an account",
		"not a user here", "user is unknown",
		"recipient is unknown", "recipient was not found", "this user doesn't have",
		"email address* not exist", "mailbox* not exist", "account* not exist", "account not found",

		"destination mailbox address invalid",
		"recipient invalid", "not a registered user", "not a registered address", "not a registered recipient", "user is not registered", "recipient is not registered", "address is not registered", "account is not registered", "unregistered user", "unregistered recipient", "unregistered address",
		"unable to find user", "unable to find alias user", "can't find user",
		"cannot find user",
		"undefined user", "no user here", "utilisateur inconnu",
		"destinataire inconnu", "adresse d au moins un destinataire invalide", "boite inexistante", "n'existe pas",
		"empfänger unbekannt", "empfaenger unbekannt", "benutzer unbekannt", "usuario desconocido", "no existe",
		"usuario inexistente", "utente sconosciuto", "non esiste", "destinatário desconhecido", "não existe",
		"пользователь не найден", "нет такого пользователя", "用户不存在", "ユーザが存在しません", "宛先不明",
	}, example: "550 5.1.1 <jane@example.net>: Recipient address rejected: User unknown in local recipient table", absent: mailboxNoun},
	{category: MailboxUnknown, patterns: []string{
		"recipient address rejected: access denied", "not recognized", "mailbox name not allowed", "is not local",
		"user not local", "no longer exists", "is no longer here", "not found on this", "unknown to this", "not exists",
		"invalid address", "bad address", "unverified address", "address rejected: undeliverable", "undeliverable address",
		"does not exist here", "does not exist at", "doesn't exist in", "dosn't exist", "there is no such",
		"cannot be found or does not exist", "couldn't be found", "could not be found at", "was not found at",
		"wasn't found at", "non-existing", "not known at this", "is unknown at host", "is not known here",
		"no longer an active", "recipient no longer", "this address no longer", "mailbox unavailable or not local",
		"not listed in directory", "no valid recipient", "failed to route the address", "is not a valid address",
		"not a valid email", "address is not valid", "unroutable address", "unrouteable address", "no mail box", "no such mail drop", "not on this server", "not on this system", "not on this host", "not at this domain", "not at this site", "not at this address", "not at this host",
		"bad_recipient", "not in our user", "not in the directory",
		"no match in the directory", "not in recipient table", "adresse inconnue", "onbekende gebruiker",
		"gebruiker onbekend", "bestaat niet", "neexistuje", "nie istnieje", "ei ole olemassa", "finns inte", "findes ikke",
		"mevcut değil", "adres nieprawid", "usuário inexistente", "conta inexistente", "destinatario inexistente",
		"no es una dirección válida", "adresse unbekannt", "mailbox existiert nicht", "postfach existiert nicht",
		"existiert nicht", "ist nicht bekannt", "宛先が存在しません", "メールアドレスが見つかりません", "ユーザーが見つかりません", "收件人不存在", "邮箱不存在", "账号不存在",
		"地址不存在", "пользователя не существует", "не существует", "не найден",
	}, example: "550 Unrouteable address", grade: weak},
	{category: Moved, patterns: []string{
		"user has moved", "recipient has moved", "has moved to", "mailbox moved", "mailbox has moved",
		"address has changed", "address changed", "has changed address", "new email address is", "new address is",
		"please use the new address", "account has been moved", "no longer at this address", "has left the",
		"no longer works", "no longer employed", "has been replaced by", "forwarding address", "please try <",
		"has a new address", "address is obsolete",
	}, example: "551 5.1.6 User has moved to another domain"},
	{category: Virus, patterns: []string{
		"virus detected", "virus found", "virus was", "virus in ", "virus:", "virus name", "virus alert", "virus infect", "virus-infect", "a virus", "the virus", "viruses", "virus (", "virus \"", "possible virus", "malware", "infected", "trojan", "phishing", "dangerous attachment", "contains a forbidden file",
		"blocked file extension", "executable files", "potentially dangerous", "prohibited attachment",
		"illegal attachment", "attachment type not allowed", "banned filename", "banned attachment",
		"because its content presents a potential security issue", "malicious",
	}, example: "550 5.7.0 Virus detected, message refused"},
	{category: Authentication, patterns: []string{
		"spf fail", "spf check", "spf: ", "spf record", "failed spf", "sender policy framework", "spf validation",
		"spf soft", "spf authentication", "not designated", "is not authorized to use", "not allowed to send from",
		"not authorized to send", "domain owner discourages", "spf=",
		"sender is unauthenticated", "is unauthenticated", "dkim", "dmarc", "arc validation",
		"unauthenticated email", "unauthenticated sender", "sender id", "not authenticated", "sender authentication",
		"email authentication", "authentication checks", "authentication information",
		"reverse dns", "rdns", "ptr record", "ptr lookup", "reverse mapping", "no ptr", "reverse hostname",
		"reverse host", "reverse lookup", "client host rejected: cannot find your", "cannot find your hostname",
		"cannot resolve your", "unable to resolve your", "invalid helo", "invalid ehlo", "helo command rejected",
		"ehlo/helo", "helo/ehlo", "helo name", "fix reverse", "does not resolve", "fcrdns", "dynamic ip",
		"dynamic pool", "generic hostname", "dynamic-looking", "does not have a valid rdns", "bad dns ptr",
	}, example: "550-5.7.26 This mail is unauthenticated: unauthenticated sender"},
	{category: Rate, patterns: []string{
		"too many connections", "too many concurrent", "too many sessions", "too many simultaneous",
		"connection limit", "connection rate", "rate limit", "rate-limit", "ratelimit", "rate limited", "throttl",
		"too many messages", "too many mails", "too many emails", "too many recipients", "too many rcpt",
		"too frequent", "too much mail", "too fast", "sending limit", "sending quota", "sending rate",
		"exceeded the rate", "exceeded the maximum number of", "hourly limit", "daily limit", "per hour", "per day",
		"daily relay quota", "daily quota", "daily sending", "frequency limited", "receiving mail at a rate",
		"unusual rate", "unusual amount", "unexpected volume", "submission quota", "recipient limit",
		"reached your limit", "exceed the limit of", "quota exceeded for sending", "message rate",
		"concurrent connections", "max number of messages", "mail flood", "messages per",
		"connection frequency", "limit exceeded for this sender", "exceeded its daily", "exceeded its hourly",
		"maximum recipients",
	}, example: "452 4.5.3 Too many recipients"},
	{category: Spam, patterns: []string{
		"spamhaus", "spamcop", "barracudacentral", "sorbs", "blocklist", "block list", "blacklist", "black list",
		"black-list", "blackholed", "dnsbl", " rbl", "rbl ", "denylist", "deny list", "blocked using", "listed at",
		"listed in", "listed on", "is listed by", "uribl", "surbl", "invaluement", "cloudmark", "senderbase",
		"senderscore", "reputation", "talos", "proofpoint", "cbl.abuseat", "truncate.gbudb",
		"dt:spm", "spam", "unsolicited", "ube,", "junk mail", "bulk mail", "considered uce", "blocked for abuse",
		"block for abuse", "network abuse", "abuse report", "bulkmail", "suspicious", "looks like a bulk",
		"message content rejected", "content rejected", "content filter", "score exceeded", "identified as uce",
		"undesirable", "objectionable", "unwelcome", "user complaints", "excessive complaints", "high complaint",
		"policy reasons: spam", "aup#", "banned sending", "banned ip", "ip has been blocked", "ip blocked",
		"blocked ip", "is blocked", "was blocked", "been blocked", "blocked by", "blocked due to", "is on our block",
		"temporarily blocked", "sender ip", "server ip", "your ip", "your network is", "blocked because",
		"poor sending", "bad reputation", "low reputation",
	}, example: "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org"},
	{category: MailboxFull, patterns: []string{
		"mailbox full", "mailbox is full", "mailbox space", "no space left in mailbox", "mailbox* full", "mailfolder is full", "mailbox quota", "over quota",
		"overquota", "over-quota", "quota exceeded", "exceeded quota", "exceeded its quota", "exceeds quota",
		"exceeded his", "exceeded their", "quota exceed", "quota is exceeded", "quota violation", "out of quota",
		"quota full", "out of storage space", "disk quota", "storage quota", "exceeded storage",
		"exceeds allowed quota", "exceed the quota", "exceeded allocated", "full mailbox", "inbox is full",
		"inbox* full", "user is over", "account is over", "account is full", "insufficient space for mailbox",
		"not enough storage space", "not enough space in", "mailbox exceeds", "mailbox has exceeded",
		"mailbox size limit", "maildir over", "delivery failed: over", "user has exhausted", "exceeded* storage",
		"quotaexceeded", "mailbox for user is full", "storage limit", "sizelimit of mailbox", "message quota",
		"has no space", "mail quota", "exceeded the local limit", "user's disk", "mbox full",
		"boite du destinataire pleine", "boîte* pleine", "boite* pleine", "postfach ist voll", "mailbox ist voll",
		"buzón lleno", "casella piena", "caixa cheia", "почтовый ящик переполнен", "ящик переполнен", "邮箱已满",
	}, example: "552 5.2.2 <jane@example.net>: Mailbox full"},
	{category: Size, patterns: []string{
		"message too large", "message too big", "message is too large", "message is too big", "message size exceed",
		"size exceeds", "exceeds size", "exceeds maximum", "exceeds the maximum", "maximum message size",
		"message length exceeds", "message file too big", "too large", "message size limit", "mail size limit",
		"exceeded maximum inbound message size", "larger than the", "message header size", "max message size",
		"size limit exceeded", "maximum size", "exceeds fixed", "exceeded size limit", "too big", "file size",
		"taille limite", "sizelimit", "over the maximum", "message exceeded",
	}, example: "552 5.3.4 Message size exceeds fixed limit"},
	{category: Disabled, patterns: []string{
		"disabled", "temporarily limited", "suspended", "inactive", "not active", "deactivated", "not activated", "account is locked",
		"account locked", "mailbox locked", "mailbox is locked", "user locked", "account expired",
		"account has expired", "mailbox expired", "mailbox is frozen", "mailbox frozen", "account is frozen",
		"account frozen", "over 90 days", "not been used", "dormant", "temporarily unavailable account",
		"not accepting messages", "not accepting mail", "no longer accepting mail",
		"no longer accepts mail", "does not accept incoming mail", "out of office box", "mailbox is not active",
		"user is suspended", "account on hold", "account hold", "account unavailable", "account not available",
		"archived recipient", "archivee", "archivée", "mailbox currently suspended", "mailbox is idle", "est bloque",
		"compte* bloque", "compte* suspendu", "boite* bloquee", "gesperrt", "cuenta* desactivada",
		"cuenta* suspendida", "ящик* заблокирован", "заблокирован", "nuser disabled", "is_suspended",
		"not logged in", "hasn't logged in", "owner of this mailbox has not", "has been suspended"}, example: "550 5.2.1 The email account that you tried to reach is disabled."},
	{category: HostUnknown, patterns: []string{
		"host unknown", "unknown host", "name or service not known", "nodename nor servname", "no address associated with", "no data record of requested type", "no data of requested type", "no mail exchanger", "has no mx", "no mx records", "no valid mx", "no mail hosts", "no such name", "couldn't resolve host", "no hosts found", "domain is unknown", "can't resolve hostname", "host not found", "no such host", "no such domain", "domain not found",
		"unknown mail server", "domain* does not exist", "domain name not found", "host or domain name not found",
		"couldn't find any host", "couldn't find a mail exchanger",
		"couldn't find any mail exchanger", "nxdomain", "no mx record", "no mx or a", "no mail exchanger",
		"no mx found", "all relevant mx records point to non-existent hosts",
		"an mx or srv record indicated no smtp service", "no route to domain",
		"mail domain mentioned in email address is unknown", "illegal host/domain", "invalid host name",
		"bad destination host", "unrouteable mail domain", "unroutable mail domain", "unrouteable domain",
		"unroutable domain", "invalid domain", "domain invalid", "name service error for name=",
		"dns domain * does not exist", "could not find host", "can't find host", "cannot find host",
		"cannot resolve domain", "dns error: address", "has no mail server",
		"no mail servers", "no a record", "no address record", "unresolvable", "domain has no", "mail for this domain is not", "no such destination",
		"unknown destination",
	}, example: "550 5.1.2 <jane@no.example>: Host unknown (Name server: no.example: host not found)", absent: hostNoun},
	{category: Filtered, patterns: []string{
		"recipient preferences", "recipient's preferences", "user's preferences", "refused by recipient",
		"rejected by recipient", "rejected by user", "user rejects", "recipient has blocked", "recipient refuses",
		"you are not allowed to send", "not permitted to mail", "only accept", "only receive",
		"only accepts mail from", "not on the accept", "whitelist", "white list", "allow list", "allowed list",
		"safe list", "not been granted permission", "do not have permission", "don't have permission", "mailbox unavailable or access denied", "permission to post",
		"may not have permission", "not allowed to post", "restricted", "not authorized sender",
		"sender is not allowed", "sender not allowed", "requires that all senders", "authenticationrequired",
		"moderated", "filtered", "filter rule", "mail filter", "list only", "members only", "subscribers only",
		"recipient refused", "refused by user", "user has refused", "addressee refused", "mailbox protected",
		"not accept mail from this", "not accept messages from",
	}, example: "550 5.1.1 Refused due to recipient preferences"},
	{category: MailboxUnknown, patterns: []string{
		"requested action not taken: mailbox unavailable", "mailbox unavailable", "mailbox not available",
		"#5.1.0 address rejected", "5.1.0 address rejected", "bad recipient", "all recipients were invalid",
	}, example: "550 Requested action not taken: mailbox unavailable"},
	{category: ExpiredInQueue, patterns: []string{
		"retry timeout exceeded", "retry time not reached", "message expired", "delivery time expired",
		"delivery expired", "message timed out", "expired after", "been in the queue too long", "in queue too long",
		"too long in queue", "giving up on", "delivery timeout", "delivery timed out", "exceeded retry",
		"retry count exceeded", "retry limit", "retries exceeded", "too many retries", "maximum retry",
		"after multiple retries", "maximum number of delivery attempts", "attempts exceeded", "delivery attempts",
		"failed * attempts", "failing for a long time", "has been delayed", "for more than * days",
		"undeliverable for", "within the allowed queue period", "for the last", "could not be delivered in time",
		"time limit exceeded", "message lifetime", "queue lifetime", "has been in queue", "was tried for",
		"message could not be delivered for", "for * hours", "for * days", "collected after", "delivery deadline", "time limit specified",
		"not delivered within",
	}, example: "retry timeout exceeded"},
	{category: ExpiredInQueue, patterns: []string{
		"did not accept our requests to connect", "connection timed out", "timed out while", "timed out after",
		"connect timed out", "operation timed out", "connection refused", "connection was refused",
		"connection attempt", "could not connect", "couldn't connect", "cannot connect", "can't connect",
		"unable to connect", "wasn't able to establish an smtp connection", "connect to", "no answer from",
		"not responding", "did not respond", "not respond", "didn't respond", "no route to host", "host unreachable",
		"host is unreachable", "network is unreachable", "network unreachable", "host down", "unreachable",
	}, example: "connect to mx.example.net[192.0.2.1]:25: Connection refused", waiting: Network},
	{category: Network, patterns: []string{
		"connection reset", "connection lost", "lost connection", "connection dropped", "connection died",
		"connection broken", "connection closed", "broken pipe", "host name lookup", "name server",
		"dns query failed", "name resolution", "servfail", "nameserver", "dns lookup", "dns failure", "dns error", "temporary lookup failure", "lookup failure",
		"name service", "remote host closed", "remote server closed", "unexpectedly closed", "conversation with",
		"network error", "network failure", "communication failure", "communications failure", "connection error",
		"connection failed", "timeout", "timed out", "dns server", "closed the connection", "closed connection",
	}, example: "lost connection with mx.example.net[192.0.2.1] while receiving the initial server greeting", grade: loose},
	{category: Protocol, patterns: []string{
		"relaying denied", "relay denied", "relay access denied", "relay not permitted", "relaying not allowed",
		"relaying is prohibited", "unable to relay", "cannot relay", "not relay", "no relaying",
		"relaying * prohibited", "relay * not allowed", "not permitted to relay", "not allowed to relay",
		"we do not relay", "relaying mail to", "don't relay", "isn't in my list of allowed rcpthosts",
		"not in my rcpthosts", "rcpthosts", "must issue a starttls", "starttls", "tls is required", "tls required",
		"encryption required", "encryption needed", "tls handshake", "certificate", "command not implemented",
		"parameter not implemented", "not implemented", "syntax error", "command unrecognized",
		"unrecognized command", "bad sequence", "protocol error", "command rejected", "smtp protocol",
		"authentication required", "auth required", "authenticate", "must check for new mail first",
		"mail server configuration", "requires smtputf8", "smtputf8", "bare lf", "bare newline", "line too long",
		"invalid command", "bad command", "need mail", "need rcpt",
	}, example: "554 5.7.1 <jane@example.net>: Relay access denied", grade: loose},
	{category: System, patterns: []string{
		"insufficient system storage", "insufficient disk", "insufficient storage", "no space left", "disk full",
		"system full", "out of disk", "local configuration error", "configuration error", "misconfigur",
		"system config error", "internal error", "internal server error", "internal system error", "system error",
		"server error", "local error", "i/o error", "database error", "software error", "program failure",
		"server failure", "system problem", "service not available", "service unavailable", "service is unavailable",
		"service temporarily unavailable", "service currently unavailable", "not available",
		"unavailable at this time", "currently unavailable", "temporary failure", "temporary problem",
		"temporarily unavailable", "temporarily deferred", "try again later", "try later", "server busy",
		"server is busy", "system not accepting", "shutting down", "overloaded", "out of memory", "resources",
		"local delivery failed", "local delivery", "permission denied", "can't create", "cannot open",
		"unable to open", "command died", "exit status", "returned a non-zero", "failed to execute", "child process",
		"pipe to", "command failed", "unknown mailer error", "queue file", "ldap", "in processing",
		"error in processing", "unable to process", "processing error", "cannot update", "could not write",
		"lock failed", "backend",
	}, example: "452 4.3.1 Insufficient system storage", grade: loose},
	{category: MailboxUnknown, patterns: []string{
		"does not exist", "doesn't exist", "550 not found", "550 unknown", "5.1.1 not found", "550 no such",
	}, example: "550 <jane@example.net> does not exist", grade: loose},
	{category: Content, patterns: []string{
		"bad header", "message headers", "invalid header", "header", "rfc 5322", "rfc5322", "rfc 2822", "rfc2822",
		"rfc 822", "mime", "missing date", "missing from", "duplicate", "message format", "malformed", "8-bit",
		"8bit", "conversion", "not conform", "improper use", "charset", "content-type", "attachment", "file type",
		"message-id", "not compliant", "content format", "invalid content", "unacceptable content", "content error",
		"subject line",
	}, example: "554 5.6.0 Message contains bad header", grade: loose},
	{category: Policy, patterns: []string{
		"greylist", "graylist", "grey list", "policy", "policies", "access denied", "prohibited", "not permitted", "forbidden",
		"unauthorized", "not authorized", "unauthorised", "administratively", "banned", "security", "bounced by", "dropped by",
		"not welcome", "ofr_", "violat", "go away", "disallowed", "not wanted", "relaying",
	}, example: "550 Denied by policy", grade: loose},
	{category: Policy, patterns: []string{
		"polic", "denied", "not allowed", "rejected", "refused", "not accepted", "not acceptable", "we do not accept",
		"will not accept", "blocked", "rejeté", "rejete", "refusé", "refuse", "abgelehnt", "verweigert",
		"transaction failed", "unacceptable", "rechazado", "rifiutato", "odrzucon", "afgewezen", "拒否", "拒绝", "отклонен",
	}, example: "550 Message refused", grade: vague},
}
