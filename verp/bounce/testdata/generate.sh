#!/usr/bin/env bash
# Makes golden bounces: installs Debian's mail systems, each in a chroot of its
# own, and lets them deliver to a destination that refuses in every way, inside
# a network namespace that has only loopback.
#
#   sudo ./generate.sh [MTA…]     (postfix exim sendmail opensmtpd dma nullmailer)
#
# Needs root, Go, debootstrap and Debian 12, the mirror of which it uses: MIRROR
# names another.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${WORK:-$(mktemp -d)}
base=${BASE:-$work/base}
[ $# -gt 0 ] || set -- postfix exim sendmail opensmtpd dma nullmailer
mirror=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' | head -1)}

[ -d "$base/etc" ] || debootstrap --variant=minbase bookworm "$base" "$mirror"
(cd "$here" && CGO_ENABLED=0 go build -o "$work/destination" ./generate)

declare -A package=(
  [postfix]=postfix [exim]=exim4-daemon-light [sendmail]="sendmail-bin sendmail-cf m4" [opensmtpd]=opensmtpd
  [dma]=dma [nullmailer]=nullmailer
)

configure_postfix() {
  cat >"$1/etc/postfix/main.cf" <<'CF'
compatibility_level = 3.6
myhostname = mta.relay.test
mydestination =
inet_interfaces = loopback-only
relayhost = [127.0.0.2]
maximal_queue_lifetime = 0
bounce_queue_lifetime = 1d
smtputf8_enable = no
maillog_file = /var/log/postfix.log
CF
  cat >"$1/mta.sh" <<'SH'
newaliases 2>/dev/null || true
postfix start
export BS="sendmail -bs"
SH
}
configure_exim() {
  cat >"$1/etc/exim4/exim4.conf" <<'CF'
primary_hostname = mta.relay.test
qualify_domain = relay.test
keep_environment =
log_file_path = /var/log/exim4/%slog
dsn_advertise_hosts = *
acl_smtp_rcpt = accept
delay_warning = 2s
begin routers
all:
  driver = manualroute
  domains = !+local_domains
  transport = smtp
  route_list = * 127.0.0.2 byname
  self = send
  same_domain_copy_routing = yes
begin transports
smtp:
  driver = smtp
  hosts_avoid_tls = *
  hosts_try_fastopen =
begin retry
wait@dest.test * F,1h,3s
* * F,1s,1s
CF
  sed -i '1i domainlist local_domains =' "$1/etc/exim4/exim4.conf"
  cat >"$1/mta.sh" <<'SH'
export SENDMAIL=/usr/sbin/exim4 BS="/usr/sbin/exim4 -bs"
flush() { /usr/sbin/exim4 -qff; }
SH
}
configure_sendmail() {
  cat >"$1/etc/mail/test.mc" <<'CF'
include(`/usr/share/sendmail/cf/m4/cf.m4')dnl
OSTYPE(`debian')dnl
DOMAIN(`debian-mta')dnl
define(`confDOMAIN_NAME', `mta.relay.test')dnl
define(`SMART_HOST', `smtp:[127.0.0.2]')dnl
define(`confTO_QUEUERETURN', `1s')dnl
define(`confTO_QUEUERETURN_URGENT', `1d')dnl
define(`confTO_QUEUEWARN_URGENT', `1s')dnl
define(`confSERVICE_SWITCH_FILE', `/etc/mail/service.switch')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
define(`confDONT_BLAME_SENDMAIL', `groupwritabledirpathsafe,assumesafechown')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
undefine(`ALIAS_FILE')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
CF
  printf 'hosts\tfiles\naliases\tfiles\n' >"$1/etc/mail/service.switch"
  chroot "$1" sh -c 'm4 /etc/mail/test.mc >/etc/mail/sendmail.cf'
  cat >"$1/mta.sh" <<'SH'
mkdir -p /var/spool/mqueue /var/run/sendmail /var/lib/sendmail/host_status
export SENDMAIL="/usr/sbin/sendmail-mta -C/etc/mail/sendmail.cf -Am -odi"
export DSN="$SENDMAIL -N success,failure,delay -R hdrs"
flush() { /usr/sbin/sendmail-mta -C/etc/mail/sendmail.cf -Am -q; }
SH
}
configure_opensmtpd() {
  cat >"$1/etc/smtpd.conf" <<'CF'
listen on socket
queue ttl 20s
bounce warn-interval 5s
action "out" relay host smtp://127.0.0.2
match from any for any action "out"
CF
  echo mta.relay.test >"$1/etc/mailname"
  cat >"$1/mta.sh" <<'SH'
echo mta.relay.test > /etc/mailname
smtpd -d -v >/var/log/smtpd.log 2>&1 &
sleep 2
SH
}
configure_dma() {
  mkdir -p "$1/etc/dma"
  printf 'SMARTHOST 127.0.0.2\nMAILNAME mta.relay.test\n' >"$1/etc/dma/dma.conf"
  echo : >"$1/mta.sh"
}
configure_nullmailer() {
  mkdir -p "$1/etc/nullmailer"
  echo "127.0.0.2 smtp --port=25" >"$1/etc/nullmailer/remotes"
  echo mta.relay.test >"$1/etc/nullmailer/me"
  echo 5 >"$1/etc/nullmailer/pausetime"
  cat >"$1/mta.sh" <<'SH'
nullmailer-send >/var/log/nullmailer.log 2>&1 &
sleep 1
SH
}

# One mail a case. Its Message-ID names the case, so that the bounce tells it.
submit='
mail() { # case recipient
  printf "From: Shop <shop@app.test>\nTo: %s\nSubject: Your order\nPriority: urgent\n" "$2"
  printf "Message-ID: <case.%s@app.test>\nDate: Mon, 02 Mar 2026 00:00:00 +0000\n\nHello,\nyour order is on its way.\n" "$1"
}
send() { # case sender recipients…
  name=$1; from=$2; shift 2
  mail "$name" "$1" | { [ "$name" = wait ] && cat || grep -v ^Priority; } | ${SENDMAIL:-/usr/sbin/sendmail} ${FLAGS:-} -f "$from" "$@" || true
}
# dsn asks for every DSN (RFC 3461), and gives ORCPT where the system reads SMTP.
dsn() { # case sender recipient…
  name=$1; from=$2; shift 2
  if [ -z "${BS:-}" ]; then
    mail "$name" "$1" | { [ "$name" = dsn-wait ] && cat || grep -v ^Priority; } | ${DSN:-true} -V "env-$name" -f "$from" "$@" || true
    return 0
  fi
  { sleep 1; printf "EHLO app.test\nMAIL FROM:<%s> RET=HDRS ENVID=env-%s\n" "$from" "$name"
    for to; do printf "RCPT TO:<%s> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;orig-%s\n" "$to" "$to"; done
    printf "DATA\n"; mail "$name" "$1" | { [ "$name" = dsn-wait ] && cat || grep -v ^Priority; }; printf ".\nQUIT\n"
  } | sed "s/\$/\r/" | $BS || true
}
flush() { :; }
for c in unknown bare full disabled policy content listed; do send $c return@app.test $c@dest.test; done
send two return@app.test unknown@dest.test full@dest.test
send sender sender-return@app.test ok@dest.test
send later return@app.test later@dest.test
send wait return@app.test wait@dest.test
dsn dsn-ok return@app.test ok@dest.test
dsn dsn-unknown return@app.test unknown@dest.test
dsn dsn-three return@app.test ok@dest.test full@dest.test unknown@dest.test
dsn dsn-wait return@app.test wait@dest.test
'

for mta; do
  root=$work/$mta
  if [ ! -d "$root" ]; then
    cp -a "$base" "$root"
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod +x "$root/usr/sbin/policy-rc.d"
    echo mta.relay.test >"$root/etc/mailname"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get install -y -qq --no-install-recommends ${package[$mta]} >"$work/$mta.log" 2>&1 ||
      echo "$mta: some package did not configure itself, which matters little here" >&2
  fi
  printf '127.0.0.1 localhost mta.relay.test\n' >"$root/etc/hosts"
  : >"$root/etc/resolv.conf"
  configure_$mta "$root"
  { echo "$submit" | sed -n '1,/^flush()/p'; cat "$root/mta.sh"; echo "$submit" | sed '1,/^flush()/d'
    echo 'for _ in $(seq "${WAIT:-30}"); do sleep 1; flush; done'; } >"$root/all.sh"
  unshare --net --pid --fork --kill-child --mount --uts bash -c "
    ip link set lo up
    hostname mta.relay.test
    '$work/destination' -dir '$here' -name '$mta' &
    mount -t proc proc '$root/proc'
    mount --bind /dev '$root/dev'
    sleep 1
    exec chroot '$root' bash /all.sh
  " || echo "$mta: ended with $?" >&2
  ls "$here" | grep -c "^$mta-" || true
done
