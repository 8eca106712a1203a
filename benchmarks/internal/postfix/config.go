package postfix

// mainCF makes an instance that has nothing to do with the machine's own. The
// argument is its directory.
const mainCF = Parameters + `maillog_file = %[1]s/log/mail.log
myhostname = relay.bench.test
inet_interfaces = 127.0.0.1
default_transport = discard:
relay_transport = discard:
smtputf8_enable = yes
biff = no`

// Parameters is what the main.cf of every instance begins with: a relay for
// loopback with files of its own. The argument is its directory.
const Parameters = `compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
maillog_file_prefixes = %[1]s
inet_protocols = ipv4
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_recipient_maps =
smtpd_relay_restrictions = permit_mynetworks, reject
`

// masterCF needs the smtpd's port and how many processes it may have.
const masterCF = "127.0.0.1:%s inet n - n - %d smtpd\n" + Services

// Services is the master.cf of an instance but for its smtpd. Nothing runs in a
// chroot, since the queue directory is bare.
const Services = `cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`
