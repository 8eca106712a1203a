package bounce

import "testing"

func TestFindStatus(t *testing.T) {
	for text, want := range map[string]string{
		"550 5.1.1 User unknown":                 "5.1.1",
		"550-5.1.1 User unknown":                 "5.1.1",
		"no mailbox here by that name. (#5.1.1)": "5.1.1",
		"(#5.1.1 smtp;550)":                      "5.1.1",
		"5.7.26":                                 "5.7.26",
		"5.4.310.":                               "5.4.310",
		"5.5.0 smtp;554 5.7.1 no":                "5.7.1",
		"554 5.0.0 Service unavailable":          "5.0.0",
		"2.0.0 Ok":                               "2.0.0",
		"192.0.2.1":                              "",
		"[4.2.2.1] refused":                      "",
		"version 5.0.2195":                       "",
		"v5.1.1":                                 "",
		"5.1":                                    "",
		"3.1.1":                                  "",
		"5.1.1.example.net":                      "5.1.1",
		"host-5.1.1":                             "",
		"":                                       "",
	} {
		if got := findStatus(text); got != want {
			t.Errorf("findStatus(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestFindCode(t *testing.T) {
	for text, want := range map[string]int{
		"550 5.1.1 User unknown":               550,
		"550-5.1.1":                            550,
		"said: 452 4.2.2 full":                 452,
		"ERROR_CODE :550, no":                  550,
		"[550 no]":                             550,
		"421":                                  421,
		"571 Delivery not authorized":          571,
		"connect to mx[192.0.2.1]:465: failed": 0,
		"port 587":                             0,
		"192.0.2.550":                          0,
		"5501":                                 0,
		"x550":                                 0,
		"12:34:45 +0000":                       0,
		"250 Ok":                               0,
		"":                                     0,
	} {
		if got := findCode(text); got != want {
			t.Errorf("findCode(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestFirstAddress(t *testing.T) {
	for text, want := range map[string]string{
		"<jane@example.net>":                      "jane@example.net",
		"Jane Doe <jane@example.net>, x":          "jane@example.net",
		"rfc822;jane+tag@example.net":             "jane+tag@example.net",
		`"jane doe"@example.net`:                  `"jane doe"@example.net`,
		"jane@[192.0.2.1]":                        "jane@[192.0.2.1]",
		"jane@example.net.":                       "jane@example.net",
		"jané@exämple.net":                        "jané@exämple.net",
		"https://example.net/?u=jane@example.net": "",
		"@example.net":                            "",
		"jane@":                                   "",
		"no address":                              "",
	} {
		if got := firstAddress(text); got != want {
			t.Errorf("firstAddress(%q) = %q, want %q", text, got, want)
		}
	}
}
