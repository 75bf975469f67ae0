package catalog

import (
	"slices"
	"strings"
	"testing"
)

func TestParseStandbyNames(t *testing.T) {
	for _, c := range []struct {
		setting string
		want    []string
		bad     bool
	}{
		{setting: ""},
		{setting: " \t\n"},
		{setting: "*", want: []string{"*"}},
		{setting: `"*"`, want: []string{"*"}},
		{setting: "nobody", want: []string{"nobody"}},
		{setting: "s1, S2,s3", want: []string{"s1", "S2", "s3"}},
		{setting: `"a ""b"", (c)"`, want: []string{`a "b", (c)`}},
		{setting: "3", want: []string{"3"}},
		{setting: "3,4", want: []string{"3", "4"}},
		{setting: "2 (s1, s2)", want: []string{"s1", "s2"}},
		{setting: "FIRST 2 (s1, s2)", want: []string{"s1", "s2"}},
		{setting: "first 1(*)", want: []string{"*"}},
		{setting: "ANY 1 (s1, tidemark)", want: []string{"s1", "tidemark"}},
		{setting: `any 2 ("any", "first", 7)`, want: []string{"any", "first", "7"}},
		{setting: "s$1_x", want: []string{"s$1_x"}},
		{setting: "ständer", want: []string{"ständer"}},
		{setting: "anything, firstly", want: []string{"anything", "firstly"}},
		{setting: "s1,", bad: true},
		{setting: ",", bad: true},
		{setting: "s1 s2", bad: true},
		{setting: "any", bad: true},
		{setting: "FIRST 1 s1", bad: true},
		{setting: "ANY (s1)", bad: true},
		{setting: "2 (s1", bad: true},
		{setting: "2 ()", bad: true},
		{setting: "(s1)", bad: true},
		{setting: `"s1`, bad: true},
		{setting: "s-1", bad: true},
		{setting: "2 (s1) s2", bad: true},
	} {
		got, err := parseStandbyNames(c.setting)
		if (err != nil) != c.bad || !slices.Equal(got, c.want) {
			t.Errorf("parseStandbyNames(%q) = %q, %v; want %q, bad %t", c.setting, got, err, c.want, c.bad)
		}
	}
}

func TestStandbyNameMatch(t *testing.T) {
	for _, c := range []struct{ setting, application, want string }{
		{"", "tidemark", ""},
		{"nobody", "tidemark", ""},
		{"*", "tidemark", "*"},
		{"ANY 1 (s1, *)", "tidemark", "*"},
		{"FIRST 1 (s1, TideMark)", "tidemark", "TideMark"},
		{`"tidemark"`, "Tidemark", "tidemark"},
		{"tidemark_2", "tidemark", ""},
		{"tide", "tidemark", ""},
		{`"Ä"`, "ä", ""},
	} {
		got, err := standbyNameMatch(c.setting, c.application)
		if err != nil || got != c.want {
			t.Errorf("standbyNameMatch(%q, %q) = %q, %v; want %q", c.setting, c.application, got, err, c.want)
		}
	}
}

func TestWalsenderName(t *testing.T) {
	long := strings.Repeat("x", 62)
	for _, c := range []struct {
		name    string
		version int
		want    string
	}{
		{"tidemark", 150000, "tidemark"},
		{"tüde", 150000, "t??de"},
		{"tüde", 160000, `t\xc3\xbcde`},
		{long + "yz", 150000, long + "y"},
		{long + "ü", 150000, long},
	} {
		if got := walsenderName(c.name, c.version); got != c.want {
			t.Errorf("walsenderName(%q, %d) = %q, want %q", c.name, c.version, got, c.want)
		}
	}
}

// Whatever stands in the setting, reading it ends, and a name that was found
// is found again when it stands alone in quotes.
func FuzzParseStandbyNames(f *testing.F) {
	for _, seed := range []string{"*", "FIRST 1 (a, b)", `ANY 2 ("a""b",c)`, `"`, "1", "2 (", "a,,b", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, setting string) {
		names, err := parseStandbyNames(setting)
		if err != nil && names != nil {
			t.Fatalf("names %q beside error %v", names, err)
		}
		for _, name := range names {
			again, err := parseStandbyNames(`"` + strings.ReplaceAll(name, `"`, `""`) + `"`)
			if err != nil || !slices.Equal(again, []string{name}) {
				t.Fatalf("%q in quotes is %q, %v", name, again, err)
			}
		}
	})
}
