package smtpwire
