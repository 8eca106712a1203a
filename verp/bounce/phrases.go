package bounce

// The tables that tell notices from other mail. Text is matched as foldText
// makes it.

// daemons: parts of the sender of a notice, in lower case and without spaces,
// '-', '_' and '.'.
var daemons = []string{
	"mailerdaemon", "postmaster", "maildelivery", "mailadministrator", "systemadministrator", "mdaemon", "mailsystem",
	"maildaemon", "nondelivery", "deliverystatus", "noreply@snsamazonaws", "complaints@", "microsoftexchange", "mailrouter",
	"smtpgateway", "smtpservice", "mailservice", "mailgateway", "bounceservice", "deliveryservice", "emailsystem",
	"mailserver", "deliverysubsystem", "postoffice", "smtpdaemon", "uucp@", "mmdf@", "mailtransport", "mailagent", "mailmaster",
	"interscan", "viruswall", "undeliverable", "listmaster", "smtp@", "deliveryagent", "mailfilter", "exchangeadministrator",
}

var noticeSubjects = []string{
	"undeliver", "failure notice", "returned mail", "delivery fail", "delivery has failed", "delivery status",
	"delivery problem", "mail delivery", "delivery notification", "delivery report",
	"could not be delivered", "couldn't be delivered", "not delivered", "non-delivery", "nondelivery",
	"non delivery", "undelivered", "delivery error", "delivery delayed", "delayed mail", "delivery delay",
	"message delayed", "message not delivered", "mail not delivered", "could not send message",
	"warning: message", "mail failed", "mail failure", "returning message to sender", "returning to sender",
	"returned to sender",
	"return to sender", "message you sent", "cannot be delivered", "message could not", "mail system error",
	"mail error", "email error", "rejected", "unzustellbar", "zustellung", "nicht zugestellt", "non remis",
	"échec de la remise", "non distribué",
	"mensaje no entregado", "no se pudo entregar", "non recapitabile", "mancata consegna", "não entregue",
	"bounced", "bounce notification", "sending failed", "send failed", "failed mail", "failed delivery",
	"message status", "problem delivering", "error sending",
	"доставка", "не доставлено", "недоставленное", "退信", "系统退信", "配信", "エラーメール", "delivery incomplete",
	"warning: could not send", "transient failure", "still being retried", "delivery attempt",
	"automatically rejected", "nicht zustellbar", "niet afgeleverd", "return receipt",
	"remise différée", "remise retardée", "message non remis", "entrega retrasada", "entrega demorada", "consegna ritardata", "entrega atrasada",
	"verzögert", "bezorging", "onbestelbaar", "olevererbar", "kunde inte levereras", "kunne ikke leveres", "niedostarcz", "nie dostarczono",
	"nedoručiteln", "kézbesíthetetlen", "teslim edilemedi", "nu a putut fi livrat", "no entregado", "no entregable", "no se ha podido entregar",
	"rebotado", "devuelto", "devolvida", "devolução", "falha na entrega", "impossibile recapitare", "recapito", "mislukt", "fehlgeschlagen",
	"unzustellbare", "échec", "配送", "送信エラー", "配達", "投递", "无法送达", "発送", "반송", "недоставлен", "не удалось доставить", "возвращ",
	"couldn't deliver", "could not deliver", "unable to deliver", "delivery unsuccessful", "unsuccessful delivery", "not accepted", "user unknown",
	"unknown user", "mailbox full", "nondeliverable", "non-deliverable", "delivery warning", "mail warning", "deferred", "delivery has been delayed",
}

// plainPhrases are a sign of a notice.
var plainPhrases = []string{
	"could not be delivered", "couldn't be delivered", "cannot be delivered", "can not be delivered",
	"was not delivered", "not be delivered", "wasn't able to deliver", "was not able to deliver",
	"were unable to deliver", "was unable to deliver", "unable to deliver", "failed to deliver",
	"did not reach", "undeliverable", "not deliverable", "delivery to the following", "delivery failed",
	"delivery has failed", "delivery status notification", "permanent fatal errors", "had delivery problems",
	"had transient", "transcript of session", "transcript of the session",
	"mail delivery software", "trying to deliver", "attempting to deliver", "was undeliverable",
	"failure reasons", "returned mail", "could not be sent", "could not deliver", "couldn't deliver",
	"permanent error", "error occurred while", "unknown user:", "not delivered to", "delivery failure",
	"non-delivery", "delivery problem",
	"delivery attempts", "delivery is delayed", "has been delayed", "is delayed", "not yet been delivered",
	"has not been delivered", "will be retried", "as their mailbox is full",
	"trouble delivering", "problem delivering", "an error was encountered", "message could not", "rejected by",
	"did not receive", "didn't receive",
	"was rejected", "were rejected", "has been rejected", "server message", "notificationtype", "bounce message",
	"following recipient", "following addresses", "following address", "address failed", "addresses failed",
	"konnte nicht zugestellt", "nicht zugestellt werden", "n'a pas pu être remis", "n'a pas pu",
	"no se pudo entregar",
	"n'a pas encore été remis", "noch nicht zugestellt", "konnte nicht", "non è stato possibile", "não pôde ser entregue", "não foi possível entregar",
	"kon niet worden", "kunde inte levereras", "kunne ikke leveres", "nie może zostać", "nie mogła zostać", "nelze doručit", "не может быть доставлен",
	"не удалось доставить", "无法投递", "无法送达", "未能送达", "送信できませんでした", "配信できません", "配信されませんでした", "届けできません", "not able to be delivered", "has bounced", "reason:", "error message:",
	"user unknown", "unknown user", "mail could not",
}

// strongPhrases suffice for a notice.
var strongPhrases = []string{
	"permanent fatal errors", "had delivery problems", "transcript of session follows", "created automatically by mail delivery software",
	"wasn't able to deliver your message", "could not be delivered to:", "as their mailbox is full", "failed recipient(s)",
	"this is the qmail-send program", "did not receive this message", "did not reach the following recipient",
	"rejected by a remote mail server", "was undeliverable to the following", "delivery failed for the following reason",
	"delivery to the following recipient", "unable to deliver message to the following", "failed to send to identified host",
	"message from interscan", "the following addresses had", "could not be delivered to one or more",
}

// answers: how the subject starts where somebody answers or forwards a notice.
var answers = []string{"re:", "aw:", "sv:", "fw:", "fwd:", "wg:", "tr:"}

// finalPhrases: the mail is given up. They count where they are claimed: a
// warning says when it will be (see claims).
var finalPhrases = []string{
	"permanent error", "permanent fatal", "permanently", "given up", "gave up", "giving up", "permanent failure",
	"retry timeout exceeded", "returned to sender", "returned undelivered", "undeliverable mail",
	"undelivered mail returned", "no further attempts", "not going to try again", "not be retried", "won't be retried",
	"delivery failed", "delivery has failed", "has failed", "not try again", "was undeliverable", "is undeliverable",
	"failure notice", "delivery failure", "has expired", "message expired", "status notification (failure)", "have failed",
	"will not be delivered", "could not be delivered to", "cannot be delivered", "was not delivered", "no longer be attempted",
	"stopped trying", "unable to deliver", "not be able to deliver",
}

// givenUpPhrases leave no doubt of it, even where a notice also says how long it
// was tried.
var givenUpPhrases = []string{
	"permanent fatal errors", "retry timeout exceeded", "i've given up", "have given up", "has given up", "given up trying", "gave up",
	"giving up", "not going to try again", "will not be retried", "no further attempts", "no further delivery attempts", "will not try again",
	"has expired", "message expired", "notification (failure)", "i'm not going to try", "final delivery failure", "delivery failed permanently",
	"this is a permanent error", "permanently rejected", "stopped trying", "delivery time expired", "undelivered mail returned to sender",
}

// delayPhrases: the mail is still under way. Those of warnings are told in no
// other notice, and win over finalPhrases.
var warningPhrases = []string{
	"this is a warning", "this is only a warning", "this is just a warning", "is a warning message", "warning message only", "do not need to resend",
	"don't need to resend", "need not resend", "no need to resend", "not need to send it again", "don't resend", "do not resend",
	"will be retried", "still being retried", "being retried", "attempts will continue", "attempts to deliver the message will continue",
	"will continue to attempt", "will continue trying", "will continue to try", "will continue delivery", "continue to try",
	"continue trying", "will keep trying", "keep on trying", "still trying", "will retry", "retries will", "continue to be attempted",
	"continue to retry", "continues to try", "will attempt to deliver", "will try to deliver", "trying to deliver it for",
	"warning: could not send", "could not send message for past", "could not be sent for", "message still undelivered",
	"no action is required", "no action is needed", "no action required", "not required to take any action", "not need to take any action",
	"don't need to do anything", "do not need to do anything", "notification (delay)", "(delay)", "delivery delayed", "delivery is delayed",
	"delivery has been delayed", "delivery of your message has been delayed", "delayed delivery", "subject: delayed", "has not yet been delivered",
	"not yet been delivered", "not yet delivered", "not been delivered yet", "hasn't been delivered yet", "has been temporarily delayed",
	"delivery is being retried", "remains in the queue", "still in the queue", "still in queue", "is in the queue for retry", "queued for later",
	"queued for retry", "again later automatically", "will be tried again", "will be attempted again", "will be resent", "will be reattempted",
	"weiterhin versucht", "versucht weiterhin", "wird weiterhin", "continuera à", "seguirá intentando", "se seguirá", "verzögert", "retardée", "retrasad",
	"message is delayed", "mail is delayed", "mail delayed", "message delayed", "delayed mail", "has been delayed", "delivery attempts continue",
	"n'a pas encore", "nouvelles tentatives", "noch nicht zugestellt", "vorübergehend nicht", "aún no se ha", "aún no ha sido", "non è ancora stat",
	"non è stato ancora", "ainda não foi", "nog niet bezorgd", "nog niet afgeleverd", "ännu inte", "jeszcze nie", "まだ配信", "尚未送达", "еще не доставлен",
	"will be attempted until", "will be attempted for", "remains queued", "remain in the queue", "kept in the queue", "keep in the queue",
	"the message is in the queue", "message is queued", "been queued", "will attempt to deliver", "will try to deliver", "try to deliver it for",
	"further attempts will be made", "attempts will be made", "will be made to deliver", "another attempt will", "next attempt", "next delivery attempt",
	"delivery will be attempted", "delivery will be retried", "try to deliver your message again", "so far unable", "wird weiter", "weitere zustellversuche",
	"delivery of the message has been delayed", "temporarily undeliverable", "temporary delivery problem", "temporary delivery failure",
}

var delayPhrases = []string{
	"is delayed", "was delayed", "transient error", "had transient", "temporarily deferred", "delivery deferred",
	"will try again", "warning: message",
}

// deliveredPhrases: the mail has arrived.
var deliveredPhrases = []string{
	"successfully delivered", "has been delivered", "was delivered to", "return receipt",
	"delivered successfully", "successful delivery", "relayed to", "has been successfully",
}

// autoReplySubjects start, or with a null return path are part of, the subject
// of an automatic reply.
var autoReplySubjects = []string{
	"out of office", "out of the office", "out-of-office", "automatic reply", "automated reply", "automatic response",
	"automated response", "auto reply", "autoreply", "auto-reply", "auto response", "autoresponse", "auto-response", "automatically generated reply",
	"automatische antwort", "abwesenheitsnotiz", "abwesenheitsmeldung", "abwesenheitsnachricht", "automatische abwesenheit",
	"réponse automatique", "reponse automatique", "absence du bureau", "message d'absence", "absent du bureau",
	"respuesta automática", "respuesta automatica", "fuera de la oficina", "fuera de oficina", "ausente de la oficina",
	"risposta automatica", "fuori sede", "fuori ufficio", "resposta automática", "resposta automatica", "fora do escritório",
	"ausência temporária", "automatisch antwoord", "automatische antwoord", "afwezigheidsbericht", "afwezig:", "niet op kantoor",
	"autosvar", "automatiskt svar", "automatisk svar", "frånvaro", "fravær", "ikke til stede", "automaattinen vastaus", "poissa:",
	"automatyczna odpowiedź", "odpowiedź automatyczna", "autoodpowiedź", "poza biurem", "automatická odpověď", "mimo kancelář",
	"automatická odpoveď", "automatikus válasz", "házon kívül", "răspuns automat", "raspuns automat", "otomatik yanıt", "ofis dışında",
	"αυτόματη απάντηση", "автоответ", "автоматический ответ", "автоматична відповідь", "не в офисе", "автоматичен отговор",
	"自動応答", "自動返信", "不在通知", "不在のお知らせ", "自动回复", "自動回覆", "自动答复", "外出", "자동 회신", "부재중", "자동 응답",
	"תשובה אוטומטית", "رد تلقائي", "trả lời tự động", "balasan otomatis", "ตอบกลับอัตโนมัติ", "automaatvastus", "automātiska atbilde",
	"automatinis atsakymas", "samodejni odgovor", "automatski odgovor", "auto:",
}

// absenceSubjects are less exact: they count only with a null return path, or
// where another field tells that a program wrote the message.
var absenceSubjects = []string{
	"abwesenheit", "vacation", "on leave", "absence", "on holiday", "away from", "urlaub", "vacances", "vacaciones", "ferie", "férias",
	"vakantie", "semester", "lomalla", "urlop", "dovolen", "szabadság", "отпуск", "отсутств", "休暇", "休假", "휴가", "ausente", "assente",
	"annual leave", "maternity leave", "parental leave", "currently away", "i am away", "not in the office", "away until", "back on",
}

// humans: local parts that a notice names as whom to ask.
var humans = []string{"postmaster", "mailer-daemon", "mailer_daemon", "abuse", "support", "help", "helpdesk", "webmaster", "hostmaster", "admin", "noc", "security", "root", "mailer-daemon.", "info"}

// dnsTrouble: the DNS did not answer, or not with what can be understood, so
// that nothing is known about the domain.
var dnsTrouble = []string{
	"try again", "try_again", "again later", "servfail", "server failure", "server failed", "malformed", "unexpected name server",
	"temporar", "transient", "timed out", "timeout", "time out", "no answer", "not respond", "no response", "refused by name",
	"dns failure", "format error", "formerr", "lame", "non-recoverable", "eai_again", "dnssec", "query refused", "query failed",
	"unreachable", "soft error", "soft failure", "hostlookup deferred",
}

// originalMarks: parts of the line that announces the original mail.
var originalMarks = []string{
	"original message", "copy of the message", "copy of your message", "message header", "message text follows", "returned message",
	"message follows", "returned below", "message reads", "part of the message", "your message follows", "headers of the message",
	"message headers", "beginning of message", "start of message", "unsent message", "undelivered message", "mail follows", "below this line", "headers follow",
}

// footers start what mail gateways and companies append to a notice, by their
// first word.
var footers = map[string][]string{
	"this": {
		"this e-mail has been scanned", "this email has been scanned", "this message has been scanned", "this mail has been scanned",
		"this message was scanned", "this email was scanned", "this e-mail and any", "this email and any", "this message and any",
		"this communication is", "this e-mail may contain", "this email may contain", "this message may contain",
	},
	"the":             {"the information contained in this", "the information in this"},
	"scanned":         {"scanned by", "scanned for"},
	"mail":            {"mail scanned by"},
	"virus-free":      {""},
	"virus-free.":     {""},
	"confidentiality": {""},
	"disclaimer":      {""},
	"disclaimer:":     {""},
	"checked":         {"checked by avg"},
	"powered":         {"powered by"},
	"protected":       {"protected by"},
	"we":              {"we scan "},
	"all":             {"all mail is scanned", "all emails are scanned"},
	"no":              {"no virus found", "no virus was found", "no viruses"},
	"outgoing":        {"outgoing mail is certified"},
	"get":             {"get your free"},
	"sent":            {"sent from my"},
	"please":          {"please consider the environment"},
	"copyright":       {""},
	"diese":           {"diese e-mail wurde", "diese nachricht wurde"},
	"ce":              {"ce message a été vérifié"},
}
