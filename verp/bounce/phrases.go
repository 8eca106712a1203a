package bounce

// The tables that tell notices from other mail. Text is matched as foldText
// makes it.

// daemons: parts of the sender of a notice.
var daemons = []string{
	"mailer-daemon", "mailer_daemon", "postmaster", "mail delivery s", "mail.delivery.system", "maildelivery",
	"mail administrator", "mail delivery", "system administrator", "mailerdaemon", "mdaemon", "mailsystem",
	"mail system",
	"mail-daemon", "non-delivery", "delivery status", "no-reply@sns.amazonaws", "complaints@", "microsoftexchange",
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
}

var noticePhrases = []string{
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
	"has not been delivered", "will be retried", "mailbox* full", "as their mailbox is full",
	"trouble delivering", "problem delivering", "an error was encountered", "message could not", "rejected by",
	"did not receive", "didn't receive",
	"was rejected", "were rejected", "has been rejected", "server message", "notificationtype", "bounce message",
	"following recipient", "following addresses", "following address", "address failed", "addresses failed",
	"konnte nicht zugestellt", "nicht zugestellt werden", "n'a pas pu être remis", "n'a pas pu",
	"no se pudo entregar",
	"送信できませんでした", "配信できません", "not able to be delivered", "has bounced", "reason:", "error message:",
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

// finalPhrases: the mail is given up.
var finalPhrases = []string{
	"permanent error", "permanent fatal", "permanently", "given up", "gave up", "giving up",
	"retry timeout exceeded", "returned to sender", "returned undelivered", "undeliverable mail",
	"undelivered mail returned", "no further attempts", "not going to try again", "will not be retried",
	"delivery failed", "delivery has failed",
	"failure notice", "delivery failure", "has expired",
}

// delayPhrases: the mail is still under way.
var delayPhrases = []string{
	"this is a warning", "warning message only", "do not need to resend", "don't need to resend",
	"need not resend", "no need to resend", "will be retried", "still being retried",
	"delivery attempts will continue", "will continue to attempt", "will continue trying", "continue to try",
	"continue trying", "will keep trying", "still trying", "will try again", "will try to deliver", "will retry",
	"retry for", "retries will",
	"delivery is delayed", "delivery delayed", "delivery has been delayed", "has been delayed", "is delayed",
	"delayed mail", "message delayed", "was delayed", "(delay)", "could not send message for past",
	"could not be sent for", "has not yet been delivered", "not yet been delivered", "not yet delivered",
	"not been delivered yet", "no action is required", "no action is needed", "transient error", "had transient",
	"temporarily deferred", "delivery deferred", "attempts to deliver the message will continue",
	"delivery attempts continue", "warning: message", "warning: could not send", "verzögert", "retardée",
}

// deliveredPhrases: the mail has arrived.
var deliveredPhrases = []string{
	"successfully delivered", "has been delivered", "was delivered to", "return receipt",
	"delivered successfully", "successful delivery", "relayed to", "has been successfully",
}

// autoReplySubjects start, or with a null return path are part of, the subject
// of an automatic reply.
var autoReplySubjects = []string{
	"out of office", "out of the office", "out-of-office", "automatic reply", "automated reply", "auto reply", "autoreply",
	"auto-reply", "auto response", "autoresponse", "automatische antwort", "réponse automatique", "respuesta automática",
	"risposta automatica", "resposta automática", "自動応答", "自動返信", "автоответ", "自动回复", "auto:",
}

// absenceSubjects are less exact: they count only with a null return path, or
// where another field tells that a program wrote the message.
var absenceSubjects = []string{"abwesenheit", "vacation", "on leave", "absence", "on holiday", "away from"}

// humans: local parts that a notice names as whom to ask.
var humans = []string{"postmaster", "mailer-daemon", "mailer_daemon", "abuse", "support", "help", "helpdesk", "webmaster", "hostmaster", "admin", "noc", "security", "root", "mailer-daemon.", "info"}
