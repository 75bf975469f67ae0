package epoch

import "testing"

func TestTextIsReadBack(t *testing.T) {
	for text, want := range map[string]Stream{
		"7/1/0/16384.16385":        {Epoch: Epoch{System: "7", Timeline: 1}, Sequence: 16384, Filenode: 16385},
		"7/3/1A0~2/4000000000.9/3": {Epoch: Epoch{System: "7", Timeline: 3, Switch: 0x1A0, Rewinds: 2}, Sequence: 4_000_000_000, Filenode: 9, Mark: "3"},
		"7/3/1A0/4.9/a-b/c":        {Epoch: Epoch{System: "7", Timeline: 3, Switch: 0x1A0}, Sequence: 4, Filenode: 9, Mark: "a-b/c"},
	} {
		got, ok := Parse(text)
		if !ok || got != want || got.String() != text {
			t.Errorf("%s: %+v, %t, %s", text, got, ok, got)
		}
	}
	if s, ok := Parse("7/2/B0"); !ok || s.Epoch.String() != "7/2/B0" || s.Sequence != 0 {
		t.Errorf("without a sequence: %+v, %t", s, ok)
	}
}

func TestOtherTextIsRefused(t *testing.T) {
	for _, text := range []string{"", "/", "opaque", "7/1", "x/1/0", "7/x/0/1.2", "7/1/z/1.2", "7/1/0~x/1.2", "7/1/0/1", "7/1/0/1.x", "7/1/0/1.2.3", "7/1/0//mark", "7/1/0/4294967296.1"} {
		if s, ok := Parse(text); ok {
			t.Errorf("%q is read as %+v", text, s)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("7/3/1A0~2/4000000000.9/3")
	f.Add("7/2/B0")
	f.Fuzz(func(t *testing.T, text string) {
		s, ok := Parse(text)
		if !ok {
			return
		}
		if again, ok := Parse(s.String()); s.Sequence != 0 && (!ok || again != s) {
			t.Errorf("%q: %+v, read again: %+v, %t", text, s, again, ok)
		}
	})
}
