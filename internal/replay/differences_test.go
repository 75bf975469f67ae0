package replay

// Names of the differences from the reference that are wanted.
const (
	neverCalled   = "never-called sequence"
	unseenWriter  = "H1: a writer not seen counts as 0"
	registration  = "H1: a start registers its writer"
	sequenceStart = "own start: the sequence's position"
	furtherAhead  = "further ahead, provably"
	failuresToo   = "failures are announced"
	workersStay   = "a writer at work is not removed"
)

// reasons say why each difference is right.
func reasons() map[string]string {
	return map[string]string{
		neverCalled: "the reference takes id 1 for done before anybody has drawn it, and shows it as done while it is open; " +
			"ours has drawn nothing then and says 0",
		unseenWriter: "a listed writer without a stored position may have its first id open: the reference takes the others' minimum for it " +
			"and passes that id; ours counts 0 until it has registered (RULES 15)",
		registration: "a writer stores its row, and where it begins, before it draws: whoever loads later sees it, which the reference " +
			"shows only after the first successful write (RULES 15)",
		sequenceStart: "the reference lowers a writer's own position to its newest row, on a descending stream to its oldest one; " +
			"all that it had drawn before has ended by then, so ours stays where the sequence is (RULES 18)",
		furtherAhead: "every id of a writer below its lowest open one is done, not only up to the last that it has finished; and an idle writer " +
			"reads where the sequence is, not only the highest id it has heard of. No open id is below: openIDs checks each state",
		workersStay: "a start deletes the rows of writers that its list lacks; of one that is alive, and holds its name, ours keeps it and waits " +
			"for it: its open ids are as real as any (RULES 18)",
		failuresToo: "a rolled-back write moves the writer's position in both; the reference tells others only at the next success",
	}
}

type difference struct {
	name string
	ours int64
}

// scenarioDifferences are the expectations that ours does not meet, with what it
// says, by scenario:step:field.
func scenarioDifferences() map[string]difference {
	return map[string]difference{
		"base/empty:3:positions master":                  {neverCalled, 0},
		"backwards/multiple_instance:8:positions second": {neverCalled, 0},
		"backwards/multiple_instance:9:positions second": {neverCalled, 0},
		"worker/current_token_gap:16:tok second":         {furtherAhead, 11},
		"worker/writer_config_change:16:tok first":       {unseenWriter, 0},
		"worker/writer_config_change:16:upto":            {unseenWriter, 0},
	}
}

// without are the changes without the one of that name.
func without(name string) changes {
	c := all()
	switch name {
	case neverCalled:
		c.fromZero = false
	case unseenWriter:
		c.unseenIsZero = false
	case registration:
		c.registers = false
	case sequenceStart:
		c.startIsSequence = false
	case furtherAhead:
		c.exact = false
	case failuresToo:
		c.failuresToo = false
	case workersStay:
		c.workersStay = false
	}
	return c
}
