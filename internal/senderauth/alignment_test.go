package senderauth

import "testing"

func TestAlign(t *testing.T) {
	everywhere, nowhere, byList, byWalk := Alignment{true, true}, Alignment{}, Alignment{ByList: true}, Alignment{ByWalk: true}
	for _, tc := range []struct {
		name, from, other string
		strict            bool
		organisation      string
		want              Alignment
	}{
		{"the same", "shop.test", "shop.test", false, "", everywhere},
		{"the same, strict", "shop.test", "shop.test", true, "", everywhere},
		{"below", "shop.test", "bounce.shop.test", false, "", everywhere},
		{"below, strict", "shop.test", "bounce.shop.test", true, "shop.test", nowhere},
		{"above", "news.shop.test", "shop.test", false, "", everywhere},
		{"beside, organisation known", "news.shop.test", "bounce.shop.test", false, "shop.test", everywhere},
		{"beside, no record", "news.shop.test", "bounce.shop.test", false, "", everywhere},
		{"beside, organisation below", "news.shop.test", "bounce.shop.test", false, "news.shop.test", byList},
		{"above the organisation", "news.shop.test", "shop.test", false, "news.shop.test", byList},
		{"registry in common", "shop.test", "other.test", false, "shop.test", nowhere},
		{"nothing in common", "shop.test", "shop.example", false, "shop.test", nowhere},
		{"in one registry of the list", "shop.co.uk", "other.co.uk", false, "", nowhere},
		{"in one registry of the list, with a record there", "shop.co.uk", "other.co.uk", false, "co.uk", byWalk},
		{"beside, below a registry of the list", "news.shop.co.uk", "bounce.shop.co.uk", false, "", everywhere},
		{"users of one platform", "a.github.io", "b.github.io", false, "", nowhere},
		{"a registry itself", "co.uk", "shop.co.uk", false, "", nowhere},
		{"ends alike", "shop.test", "workshop.test", false, "shop.test", nowhere},
	} {
		t.Run(tc.name, func(t *testing.T) {
			domain := func(name string) Domain {
				d := Domain{Name: name, Listed: listed(name)}
				if Within(name, tc.organisation) { // which publishes the one record
					d.Walked = tc.organisation
				}
				return d
			}
			if got := Align(domain(tc.from), domain(tc.other), tc.strict); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}
