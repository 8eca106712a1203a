package mxtest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParseMainCF reads parameters as they stand in Postfix's main.cf: one "name = value" a line, continued by lines that begin with
// white space, "#" before comments. Times may bear a unit (s, m, h, d, w), $name stands for another parameter of the text, and
// transport parameters such as gmail_destination_concurrency_limit make their transport. transport_maps = inline:{…} gives the
// transport of domains, and FILTER in check_sender_access inline:{…} that of the domains of return paths.
//
// It takes the main.cf of a working relay. What the model has no use for, which is most of Postfix's parameters, is read past, and
// RelayConfig.Notes says so. Errors are: what the model would get wrong if it read past it (relayhost, a rate delay, tables in files),
// a name that is none of Postfix's, a value of the wrong form, and a parameter that is set twice to different values, where
// Postfix takes the last. All errors are given at once, each with its line.
func ParseMainCF(text string) (RelayConfig, error) {
	p := cfParser{values: map[string]cfValue{}, used: map[string]bool{}}
	p.split(text)
	for _, name := range p.order {
		p.apply(name, p.values[name])
	}
	for _, name := range p.own {
		if !p.used[name] {
			p.wrong(p.values[name].line, "%s: no such parameter of Postfix, and no other is set by it", name)
		}
	}
	return p.cfg, errors.Join(p.errs...)
}

type cfParser struct {
	cfg    RelayConfig
	values map[string]cfValue
	order  []string
	own    []string        // parameters that Postfix does not know: they may stand for others' values
	used   map[string]bool // parameters that others' values name
	errs   []error
}

func (p *cfParser) wrong(line int, format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("mxtest: main.cf line %d: %w", line, fmt.Errorf(format, args...)))
}

func (p *cfParser) note(line int, format string, args ...any) {
	p.cfg.Notes = append(p.cfg.Notes, fmt.Sprintf("line %d: ", line)+fmt.Sprintf(format, args...))
}

// noLimit is what stands for Postfix's 0 where that means that there is no limit: the zero of RelayConfig is the default.
const noLimit = math.MaxInt32

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
		"initial_destination_concurrency": &c.InitialDestinationConcurrency, "smtpd_recipient_limit": &c.SMTPDRecipientLimit, "smtpd_junk_command_limit": &c.SMTPDJunkCommandLimit,
	}
	unlimited := map[string]*int{ // by 0
		"default_destination_concurrency_limit": &c.DefaultDestinationConcurrencyLimit, "default_destination_recipient_limit": &c.DefaultDestinationRecipientLimit,
		"smtp_mx_session_limit": &c.SMTPMXSessionLimit, "smtp_mx_address_limit": &c.SMTPMXAddressLimit, "message_size_limit": &c.MessageSizeLimit,
		"smtpd_client_connection_count_limit": &c.SMTPDClientConnectionCountLimit,
	}
	switch {
	case times[name] != nil:
		*times[name] = p.time(name, v)
	case numbers[name] != nil:
		*numbers[name] = p.number(name, v, 1)
	case unlimited[name] != nil:
		*unlimited[name] = p.limit(name, v)
	case name == "default_destination_concurrency_failed_cohort_limit":
		f, err := strconv.ParseFloat(p.expand(v), 64)
		if err != nil || f < 0 || math.IsNaN(f) {
			p.wrong(v.line, "%s: %q is no number", name, p.expand(v))
		}
		if f == 0 { // no destination is ever dead
			f = math.MaxFloat64
		}
		c.DefaultDestinationConcurrencyFailedCohort = f
	case name == "smtp_connection_cache_on_demand":
		c.NoSMTPConnectionCacheOnDemand = !p.yes(name, v)
	case name == "smtpd_tls_wrappermode":
		c.SMTPDTLSWrapperMode = p.yes(name, v)
	case name == "smtpd_tls_security_level":
		if c.SMTPDTLSSecurityLevel = p.expand(v); c.SMTPDTLSSecurityLevel == "" {
			c.SMTPDTLSSecurityLevel = "none"
		}
	case name == "smtp_fallback_relay", name == "fallback_relay": // its name before 2.3
		c.SMTPFallbackRelay = append([]string{}, strings.FieldsFunc(p.expand(v), isSeparator)...)
	case name == "transport_maps":
		p.transportMaps(v)
	case strings.HasPrefix(name, "smtpd_") && strings.HasSuffix(name, "_restrictions") && postfixNames[name]:
		p.restrictions(name, v)
	default:
		p.readPast(name, v)
	}
}

// readPast takes a parameter that sets nothing: it must be one that Postfix has, and harmless to the model.
func (p *cfParser) readPast(name string, v cfValue) {
	if p.transport(name, v) {
		return
	}
	if m, ok := decisive[name]; ok && p.decides(name, v, m) {
		return
	}
	if !postfixNames[name] {
		p.own = append(p.own, name)
	} else {
		p.note(v.line, "%s is read past: it is not modelled", name)
	}
	p.uses(v.text)
}

// decides reports an error where a decisive parameter has another than a harmless value.
func (p *cfParser) decides(name string, v cfValue, m meaning) bool {
	value := p.expand(v)
	if value == "" || slices.Contains(strings.Fields(m.harmless), value) {
		return false
	}
	p.wrong(v.line, "%s = %s: %s, which the model does not do", name, value, m.text)
	return true
}

// transport sets a parameter that is named after a transport, or reads it past.
func (p *cfParser) transport(name string, v cfValue) bool {
	for suffix, m := range decisiveOfTransport {
		if strings.HasSuffix(name, suffix) {
			if !p.decides(name, v, m) {
				p.note(v.line, "%s is read past: the model does so anyway", name)
			}
			return true
		}
	}
	if postfixNames[name] {
		return false
	}
	for suffix, field := range map[string]func(*TransportConfig) *int{
		"_initial_destination_concurrency": func(t *TransportConfig) *int { return &t.InitialDestinationConcurrency },
		"_destination_concurrency_limit":   func(t *TransportConfig) *int { return &t.DestinationConcurrencyLimit },
		"_destination_recipient_limit":     func(t *TransportConfig) *int { return &t.DestinationRecipientLimit },
		"_process_limit":                   func(t *TransportConfig) *int { return &t.ProcessLimit },
	} {
		if transport, ok := strings.CutSuffix(name, suffix); ok && transport != "" {
			t := p.cfg.Transports[transport]
			*field(&t) = p.limit(name, v)
			p.setTransport(transport, t)
			return true
		}
	}
	for _, suffix := range ofTransport {
		if strings.HasSuffix(name, suffix) {
			p.note(v.line, "%s is read past: it is not modelled", name)
			return true
		}
	}
	return false
}

func (p *cfParser) setTransport(name string, t TransportConfig) {
	if p.cfg.Transports == nil {
		p.cfg.Transports = map[string]TransportConfig{}
	}
	p.cfg.Transports[name] = t
}

// transportMaps reads inline:{ {domain=transport:} … }.
func (p *cfParser) transportMaps(v cfValue) {
	value := p.expand(v)
	if value == "" {
		return
	}
	body, rest, ok := inlineTable(value)
	if !ok || strings.TrimSpace(rest) != "" {
		p.wrong(v.line, "transport_maps: only inline:{ domain=transport: … } can be read here; say it as RelayConfig.TransportMaps")
		return
	}
	p.table(v.line, "transport_maps", body, func(domain, value string) {
		transport, nextHop, ok := strings.Cut(value, ":")
		switch {
		case !ok || transport == "" || !validDomain(domain):
			p.wrong(v.line, "transport_maps: %q is not of the form domain=transport:", domain+"="+value)
		case nextHop != "":
			p.wrong(v.line, "transport_maps: %s: a next hop (%s), which the model does not do", domain, nextHop)
		default:
			if p.cfg.TransportMaps == nil {
				p.cfg.TransportMaps = map[string]string{}
			}
			p.cfg.TransportMaps[domain] = transport
			p.setTransport(transport, p.cfg.Transports[transport]) // master.cf has it, whether or not main.cf limits it
		}
	})
}

// restrictions reads FILTER out of check_sender_access inline:{ {domain = FILTER transport:} … }. Whom a relay lets relay is not
// modelled: it takes all mail.
func (p *cfParser) restrictions(name string, v cfValue) {
	p.uses(v.text)
	before, after, found := strings.Cut(v.text, "check_sender_access")
	for ; found; before, after, found = strings.Cut(after, "check_sender_access") {
		p.noteRestrictions(name, v.line, before)
		body, rest, ok := inlineTable(strings.TrimLeft(after, " \t,"))
		if !ok {
			p.note(v.line, "%s: a table of senders that is not inline: is read past; if it has FILTER, say it as RelayConfig.SenderTransports", name)
			continue
		}
		after = rest
		p.table(v.line, name, body, func(sender, action string) { p.filter(name, v.line, sender, p.expand(cfValue{action, v.line})) })
	}
	p.noteRestrictions(name, v.line, before)
}

// filter reads an entry of check_sender_access.
func (p *cfParser) filter(name string, line int, sender, action string) {
	words := strings.Fields(action)
	if len(words) == 0 || !strings.EqualFold(words[0], "FILTER") {
		p.note(line, "%s: %s = %s is read past: the model takes all mail", name, sender, action)
		return
	}
	transport, nextHop, ok := strings.Cut(strings.Join(words[1:], " "), ":")
	switch {
	case !ok || transport == "":
		p.wrong(line, "%s: %q is not of the form FILTER transport:", name, action)
	case nextHop != "":
		p.wrong(line, "%s: %s: a next hop (%s), which the model does not do", name, sender, nextHop)
	case !validDomain(sender):
		p.wrong(line, "%s: %s: the model filters by the domain of the return path only", name, sender)
	default:
		if p.cfg.SenderTransports == nil {
			p.cfg.SenderTransports = map[string]string{}
		}
		p.cfg.SenderTransports[sender] = transport
		p.setTransport(transport, p.cfg.Transports[transport])
	}
}

func (p *cfParser) noteRestrictions(name string, line int, text string) {
	if text = strings.Trim(text, " \t,"); text != "" {
		p.note(line, "%s: %s is read past: the model takes all mail", name, text)
	}
}

// table calls each for the entries of an inline table, lower case.
func (p *cfParser) table(line int, name, body string, each func(key, value string)) {
	entries, err := inlineEntries(body)
	if err != nil {
		p.wrong(line, "%s: %w", name, err)
		return
	}
	for _, e := range entries {
		each(strings.ToLower(e[0]), e[1])
	}
}

func (p *cfParser) number(name string, v cfValue, least int) int {
	n, err := strconv.Atoi(p.expand(v))
	switch {
	case err != nil || n < 0:
		p.wrong(v.line, "%s: %q is no number", name, p.expand(v))
		return 0
	case n < least:
		p.wrong(v.line, "%s: %d is below %d, the least that Postfix takes", name, n, least)
	}
	return n
}

// limit reads a number of which 0 means that there is no limit.
func (p *cfParser) limit(name string, v cfValue) int {
	n := p.number(name, v, 0)
	if n == 1 && strings.HasSuffix(name, "_destination_recipient_limit") {
		p.wrong(v.line, "%s = 1: Postfix then counts concurrency by recipient, which the model does not do", name)
	}
	if n == 0 {
		return noLimit
	}
	return n
}

func (p *cfParser) yes(name string, v cfValue) bool {
	value := p.expand(v)
	if value != "yes" && value != "no" {
		p.wrong(v.line, "%s: %q is neither yes nor no", name, value)
	}
	return value == "yes"
}

// time reads a time, whose zero is not that of RelayConfig, which is the default.
func (p *cfParser) time(name string, v cfValue) time.Duration {
	d, err := cfTime(p.expand(v), name)
	switch {
	case err != nil:
		p.wrong(v.line, "%s: %w", name, err)
	case d > 0:
	case name == "in_flow_delay":
		return -1
	case name == "maximal_queue_lifetime", name == "bounce_queue_lifetime":
		return 1 // tried once
	case name != "delay_warning_time":
		p.wrong(v.line, "%s: 0 is no time that the model can wait", name)
	}
	return d
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
