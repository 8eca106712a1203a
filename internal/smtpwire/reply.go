package smtpwire

import "strconv"

// An EnhancedCode is an enhanced status code (RFC 3463), class, subject and
// detail. The zero value means that the reply carried none.
type EnhancedCode [3]int

// String gives the code as "5.1.1", or "" for the zero value.
func (e EnhancedCode) String() string {
	switch e { // those of nearly every mail, without an allocation
	case EnhancedCode{}:
		return ""
	case EnhancedCode{2, 0, 0}:
		return "2.0.0"
	}
	b := make([]byte, 0, 12)
	b = strconv.AppendInt(b, int64(e[0]), 10)
	b = append(b, '.')
	b = strconv.AppendInt(b, int64(e[1]), 10)
	b = append(b, '.')
	return string(strconv.AppendInt(b, int64(e[2]), 10))
}

// A Reply is one complete reply of a relay (RFC 5321 §4.2).
type Reply struct {
	Code     int          // 200–599
	Enhanced EnhancedCode // of the first line that has one
	// Text is what follows code and enhanced status code, the lines of a
	// multi-line reply joined by '\n'. It is a view into the reader's buffer
	// and valid until the next call of Next.
	Text []byte
}

// Positive says whether the reply is 2yz.
func (r Reply) Positive() bool { return r.Code/100 == 2 }

// Temporary says whether the reply is 4yz.
func (r Reply) Temporary() bool { return r.Code/100 == 4 }

// Permanent says whether the reply is 5yz.
func (r Reply) Permanent() bool { return r.Code/100 == 5 }

// ParseEnhanced reads an enhanced status code of class 4 or 5; the zero value where
// s is none.
func ParseEnhanced(s string) EnhancedCode {
	if s == "" || s[0] != '4' && s[0] != '5' {
		return EnhancedCode{}
	}
	e, rest := cutEnhanced(s[0], []byte(s))
	if len(rest) > 0 {
		return EnhancedCode{}
	}
	return e
}

// cutEnhanced takes the enhanced status code off the front of a line of a reply
// with the given first digit. RFC 2034 §4: the class must agree with the code;
// one that does not is text.
func cutEnhanced(class byte, line []byte) (EnhancedCode, []byte) {
	var e EnhancedCode
	if len(line) < 5 || line[0] != class || line[1] != '.' {
		return e, line
	}
	e[0] = int(class - '0')
	rest := line[2:]
	for part := 1; part < 3; part++ {
		n, digits := 0, 0
		for digits < len(rest) && digits < 4 && '0' <= rest[digits] && rest[digits] <= '9' {
			n = n*10 + int(rest[digits]-'0')
			digits++
		}
		if digits == 0 || digits > 3 {
			return EnhancedCode{}, line
		}
		e[part] = n
		rest = rest[digits:]
		if part == 1 {
			if len(rest) == 0 || rest[0] != '.' {
				return EnhancedCode{}, line
			}
			rest = rest[1:]
		}
	}
	if len(rest) > 0 {
		if rest[0] != ' ' {
			return EnhancedCode{}, line
		}
		rest = rest[1:]
	}
	return e, rest
}
