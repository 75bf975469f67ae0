package catalog

import "testing"

func TestNearest(t *testing.T) {
	candidates := []string{"public.events", "public.orders", "id", "instance_name"}
	for _, c := range []struct{ name, want string }{
		{"public.evnts", "public.events"},
		{"PUBLIC.EVENTS", "public.events"},
		{"instance", ""},
		{"instancename", "instance_name"},
		{"ID", "id"},
		{"x", ""},
		{"", ""},
	} {
		if got := nearest(c.name, candidates); got != c.want {
			t.Errorf("nearest(%q) = %q, want %q", c.name, got, c.want)
		}
	}
}

func TestSchemaPart(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"events", ""},
		{"private.events", "private"},
		{`"a.b"."c.d"`, `"a.b"`},
		{`"a"".b".c`, `"a"".b"`},
	} {
		if got := schemaPart(c.name); got != c.want {
			t.Errorf("schemaPart(%s) = %s, want %s", c.name, got, c.want)
		}
	}
}

func TestQuoteLiteral(t *testing.T) {
	for text, want := range map[string]string{"a": "'a'", "o'b": "'o''b'", `a\'b`: `E'a\\''b'`} {
		if got := quoteLiteral(text); got != want {
			t.Errorf("quoteLiteral(%s) = %s, want %s", text, got, want)
		}
	}
}

func TestFindingsAreOneLine(t *testing.T) {
	f := unmet("table a\nb", "x\r\ny\tz", "ALTER TABLE \"a\nb\" SET LOGGED").tidy()
	if f.Name != "table a b" || f.Detail != "x  y z" || f.Fix != "ALTER TABLE \"a\nb\" SET LOGGED" {
		t.Errorf("tidy: %+v", f)
	}
}
