package rows

import (
	"context"
	"fmt"
	"io"
)

// PartArgument is the first argument of this program where it runs a part of a
// comparison as a process of its own.
const PartArgument = "part"

// RunPart runs the part that the arguments name; its result goes to out.
func RunPart(_ context.Context, args []string, _ io.Writer) error {
	return fmt.Errorf("there is no part %q", args)
}
