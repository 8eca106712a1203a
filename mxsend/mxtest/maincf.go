package mxtest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseMainCF reads parameters as they stand in Postfix's main.cf: one "name = value" a line, continued by lines that begin with
// white space, "#" before comments. Times may bear a unit (s, m, h, d, w), $name stands for an earlier parameter, and
// transport parameters such as gmail_destination_concurrency_limit make their transport. transport_maps = inline:{…} gives the
// transport of domains.
//
// Parameters that say nothing about what is modelled (mynetworks, queue_directory and their like) are read past; an unknown one, one
// that is set twice to different values, and a value of the wrong form are errors. All errors are given at once.
func ParseMainCF(text string) (RelayConfig, error) {
	p := cfParser{values: map[string]cfValue{}}
	p.split(text)
	for _, name := range p.order {
		p.apply(name, p.values[name])
	}
	return p.cfg, errors.Join(p.errs...)
}

// A cfValue is the value of a parameter, and its line.
type cfValue struct {
	text string
	line int
}

type cfParser struct {
	cfg    RelayConfig
	values map[string]cfValue
	order  []string
	errs   []error
}

func (p *cfParser) wrong(line int, format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("mxtest: main.cf line %d: %w", line, fmt.Errorf(format, args...)))
}

// split finds the logical lines.
func (p *cfParser) split(text string) {
	var logical string
	first := 0
	flush := func() {
		if strings.TrimSpace(logical) != "" {
			p.add(logical, first)
		}
		logical = ""
	}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\r\n")
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || trimmed[0] == '#':
		case line[0] == ' ' || line[0] == '\t':
			if logical == "" {
				p.wrong(n, "continues nothing: white space at its start makes it part of the line before")
			}
			logical += " " + trimmed
		default:
			flush()
			logical, first = line, n
		}
	}
	flush()
}

// add takes note of a logical line.
func (p *cfParser) add(logical string, line int) {
	name, value, ok := strings.Cut(logical, "=")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if !ok || name == "" || strings.ContainsAny(name, " \t") {
		p.wrong(line, "%q is not of the form name = value", logical)
		return
	}
	value = p.expand(value, line)
	if old, twice := p.values[name]; twice {
		if old.text != value {
			p.wrong(line, "%s is set twice: %q here, %q in line %d", name, value, old.text, old.line)
		}
		return
	}
	p.values[name] = cfValue{value, line}
	p.order = append(p.order, name)
}

// maxCFValue bounds a value that holds others.
const maxCFValue = 64 << 10

// expand replaces $name, $(name) and ${name} by the values of earlier parameters.
func (p *cfParser) expand(value string, line int) string {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(value, "$")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		var name string
		if after != "" && (after[0] == '{' || after[0] == '(') {
			end := strings.IndexAny(after, "})")
			if end < 0 {
				p.wrong(line, "%q: unclosed parameter name", value)
				return b.String()
			}
			name, value = after[1:end], after[end+1:]
		} else {
			end := strings.IndexFunc(after, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') })
			if end < 0 {
				end = len(after)
			}
			name, value = after[:end], after[end:]
		}
		known, ok := p.values[name]
		if !ok && !ignored[name] {
			p.wrong(line, "$%s is not set above", name)
		}
		if b.Len()+len(known.text) > maxCFValue {
			p.wrong(line, "the value is longer than %d octets", maxCFValue)
			return b.String()
		}
		b.WriteString(known.text)
	}
}

// ignored are parameters that say nothing about what is modelled.
var ignored = func() map[string]bool {
	set := map[string]bool{}
	for name := range strings.FieldsSeq(`
		alias_database alias_maps append_dot_mydomain biff command_directory compatibility_level config_directory daemon_directory data_directory
		debug_peer_level default_database_type disable_vrfy_command header_checks home_mailbox html_directory inet_interfaces inet_protocols
		mail_owner mailbox_command mailbox_size_limit mailq_path maillog_file maillog_file_prefixes manpage_directory master_service_disable
		meta_directory milter_default_action mydestination mydomain myhostname mynetworks mynetworks_style myorigin multi_instance_enable
		multi_instance_group multi_instance_name newaliases_path non_smtpd_milters notify_classes parent_domain_matches_subdomains queue_directory
		readme_directory recipient_delimiter relay_domains relayhost remote_header_rewrite_domain sample_directory sendmail_path setgid_group
		shlib_directory smtp_address_preference smtp_bind_address smtp_bind_address6 smtp_dns_support_level smtp_host_lookup smtp_tls_CAfile
		smtp_tls_CApath smtp_tls_loglevel smtp_tls_security_level smtp_tls_session_cache_database smtpd_banner smtpd_client_restrictions
		smtpd_client_event_limit_exceptions smtpd_data_restrictions smtpd_helo_required smtpd_helo_restrictions smtpd_milters
		smtpd_recipient_restrictions smtpd_relay_restrictions smtpd_sasl_auth_enable smtpd_sasl_path smtpd_sasl_type smtpd_sender_restrictions
		smtpd_tls_CAfile smtpd_tls_auth_only smtpd_tls_cert_file smtpd_tls_key_file smtpd_tls_loglevel smtpd_tls_session_cache_database
		smtputf8_enable soft_bounce sync_on_disk syslog_facility syslog_name unknown_local_recipient_reject_code virtual_alias_maps`) {
		set[name] = true
	}
	return set
}()

// apply sets what a parameter says.
func (p *cfParser) apply(name string, v cfValue) {
	c := &p.cfg
	times := map[string]*time.Duration{
		"minimal_backoff_time": &c.MinimalBackoffTime, "maximal_backoff_time": &c.MaximalBackoffTime, "queue_run_delay": &c.QueueRunDelay,
		"maximal_queue_lifetime": &c.MaximalQueueLifetime, "bounce_queue_lifetime": &c.BounceQueueLifetime, "delay_warning_time": &c.DelayWarningTime,
		"smtp_connect_timeout": &c.SMTPConnectTimeout, "smtp_helo_timeout": &c.SMTPHeloTimeout, "smtpd_timeout": &c.SMTPDTimeout, "in_flow_delay": &c.InFlowDelay,
	}
	numbers := map[string]*int{
		"qmgr_message_active_limit": &c.QmgrMessageActiveLimit, "qmgr_message_recipient_limit": &c.QmgrMessageRecipientLimit, "default_process_limit": &c.DefaultProcessLimit,
		"initial_destination_concurrency": &c.InitialDestinationConcurrency, "default_destination_concurrency_limit": &c.DefaultDestinationConcurrencyLimit,
		"default_destination_recipient_limit": &c.DefaultDestinationRecipientLimit, "smtp_mx_session_limit": &c.SMTPMXSessionLimit, "smtp_mx_address_limit": &c.SMTPMXAddressLimit,
		"message_size_limit": &c.MessageSizeLimit, "smtpd_recipient_limit": &c.SMTPDRecipientLimit, "smtpd_client_connection_count_limit": &c.SMTPDClientConnectionCountLimit,
		"smtpd_junk_command_limit": &c.SMTPDJunkCommandLimit,
	}
	switch {
	case times[name] != nil:
		d, err := cfTime(v.text, name)
		if err != nil {
			p.wrong(v.line, "%s: %w", name, err)
		}
		if name == "in_flow_delay" && d == 0 {
			d = -1 // zero would be the default
		}
		*times[name] = d
	case numbers[name] != nil:
		*numbers[name] = p.number(name, v)
	case name == "default_destination_concurrency_failed_cohort_limit":
		f, err := strconv.ParseFloat(v.text, 64)
		if err != nil || f < 0 {
			p.wrong(v.line, "%s: %q is no number", name, v.text)
		}
		c.DefaultDestinationConcurrencyFailedCohort = f
	case name == "smtp_connection_cache_on_demand":
		c.NoSMTPConnectionCacheOnDemand = !p.yes(name, v)
	case name == "smtpd_tls_wrappermode":
		c.SMTPDTLSWrapperMode = p.yes(name, v)
	case name == "smtpd_tls_security_level":
		c.SMTPDTLSSecurityLevel = v.text
		if v.text == "" {
			c.SMTPDTLSSecurityLevel = "none"
		}
	case name == "smtp_fallback_relay":
		c.SMTPFallbackRelay = append([]string{}, strings.FieldsFunc(v.text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })...)
	case name == "transport_maps":
		p.transportMaps(v)
	case ignored[name]:
	case !p.transport(name, v):
		p.wrong(v.line, "%s: no such parameter is known here", name)
	}
}

// transport sets a parameter that is named after a transport.
func (p *cfParser) transport(name string, v cfValue) bool {
	for suffix, field := range map[string]func(*TransportConfig) *int{
		"_initial_destination_concurrency": func(t *TransportConfig) *int { return &t.InitialDestinationConcurrency },
		"_destination_concurrency_limit":   func(t *TransportConfig) *int { return &t.DestinationConcurrencyLimit },
		"_destination_recipient_limit":     func(t *TransportConfig) *int { return &t.DestinationRecipientLimit },
		"_process_limit":                   func(t *TransportConfig) *int { return &t.ProcessLimit },
	} {
		transport, ok := strings.CutSuffix(name, suffix)
		if !ok || transport == "" || transport == "default" || strings.HasPrefix(transport, "smtpd") {
			continue
		}
		if p.cfg.Transports == nil {
			p.cfg.Transports = map[string]TransportConfig{}
		}
		t := p.cfg.Transports[transport]
		*field(&t) = p.number(name, v)
		p.cfg.Transports[transport] = t
		return true
	}
	return false
}

// transportMaps reads inline:{ {domain=transport:} … }, in the forms Postfix knows.
func (p *cfParser) transportMaps(v cfValue) {
	body, ok := strings.CutPrefix(v.text, "inline:")
	body = strings.TrimSpace(body)
	if !ok || !strings.HasPrefix(body, "{") || !strings.HasSuffix(body, "}") {
		if v.text != "" {
			p.wrong(v.line, "transport_maps: only inline:{ domain=transport: … } can be read here; say it as RelayConfig.TransportMaps")
		}
		return
	}
	for entry := range strings.FieldsFuncSeq(body[1:len(body)-1], func(r rune) bool { return strings.ContainsRune(" \t,{}", r) }) {
		domain, transport, ok := strings.Cut(entry, "=")
		transport, _, _ = strings.Cut(transport, ":")
		if !ok || domain == "" || transport == "" {
			p.wrong(v.line, "transport_maps: %q is not of the form domain=transport:", entry)
			continue
		}
		if p.cfg.TransportMaps == nil {
			p.cfg.TransportMaps = map[string]string{}
		}
		p.cfg.TransportMaps[strings.ToLower(domain)] = transport
	}
}

func (p *cfParser) number(name string, v cfValue) int {
	n, err := strconv.Atoi(v.text)
	if err != nil || n < 0 {
		p.wrong(v.line, "%s: %q is no number", name, v.text)
		return 0
	}
	return n
}

func (p *cfParser) yes(name string, v cfValue) bool {
	if v.text != "yes" && v.text != "no" {
		p.wrong(v.line, "%s: %q is neither yes nor no", name, v.text)
	}
	return v.text == "yes"
}

// cfTime reads a time: a number with a unit, which where it is missing is seconds, but hours for delay_warning_time and
// days for queue lifetimes (postconf(5)).
func cfTime(s, name string) (time.Duration, error) {
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	unit := time.Second
	switch name {
	case "delay_warning_time":
		unit = time.Hour
	case "maximal_queue_lifetime", "bounce_queue_lifetime":
		unit = 24 * time.Hour
	}
	digits := s
	if s != "" {
		if u, ok := units[s[len(s)-1]]; ok {
			unit, digits = u, s[:len(s)-1]
		}
	}
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil || n > uint64(100*365*24*time.Hour/unit) {
		return 0, fmt.Errorf("%q is no time: a number and a unit (s, m, h, d, w)", s)
	}
	return time.Duration(n) * unit, nil
}
