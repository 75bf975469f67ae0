package allocator

import "testing"

// The small generator begins behind the furthest id of several tables, by the
// direction of its step; an empty one counts as 1 (-1), as in the reference.
func TestIDGeneratorBeginsBehindItsTables(t *testing.T) {
	t.Parallel()
	s := server(t)
	s.exec("CREATE TABLE tokens (id int)")
	s.exec("CREATE TABLE dropped_tokens (token_id bigint)")
	s.exec("CREATE TABLE nothing (id bigint)")
	s.exec("INSERT INTO tokens VALUES (3), (7), (-4)")
	s.exec("INSERT INTO dropped_tokens VALUES (9), (-11), (2)")
	tokens, dropped := Table{Name: "tokens", IDColumn: "id"}, Table{Name: "dropped_tokens", IDColumn: "token_id"}
	nothing := Table{Name: "nothing", IDColumn: "id"}
	for _, c := range []struct {
		step   int64
		tables []Table
		want   int64
	}{
		{1, []Table{tokens}, 8},
		{1, []Table{tokens, dropped, nothing}, 10},
		{1, []Table{dropped, tokens}, 10},
		{-1, []Table{tokens}, -5},
		{-1, []Table{dropped, tokens, nothing}, -12},
		{1, []Table{nothing}, 2},
		{-1, []Table{nothing}, -2},
		{1, nil, 2},
	} {
		g, err := OpenIDGenerator(t.Context(), s.pool, c.step, c.tables...)
		if err != nil {
			t.Fatal(err)
		}
		if got := g.Next(); got != c.want {
			t.Errorf("step %d behind %v: %d, want %d", c.step, c.tables, got, c.want)
		}
	}
	if _, err := OpenIDGenerator(t.Context(), s.pool, 1, Table{Name: "tokens", IDColumn: "none"}); err == nil {
		t.Error("a table that cannot be read was taken for an empty one")
	}
}
