package slots_test

import (
	"fmt"
	"time"

	"github.com/tidemark-pg/tidemark/follower/slots"
)

// A History judges samples that Inspect has taken; here they are made by hand.
func ExampleHistory() {
	var history slots.History
	now := time.Now()
	pid, application := int32(4711), "billing"
	confirmed := slots.LSN(0x1000000)
	sample := slots.Sample{Time: now, WAL: 0x1800000, Slots: []slots.SlotSample{{
		Name: "billing", Active: true, ActivePID: &pid, Consumer: &slots.Consumer{ApplicationName: &application},
		RestartLSN: &confirmed, ConfirmedFlushLSN: &confirmed,
	}}}
	history.Add(now, sample)
	sample.Time = now.Add(40 * time.Second)
	for _, s := range history.Add(sample.Time, sample).Slots {
		fmt.Println(s.Verdict)
		fmt.Println(s.Reason)
	}
	// Output:
	// stalled
	// pid 4711 (billing) is connected and has confirmed nothing for at least 40 s, 8 MiB of WAL wait for it: see what keeps pid 4711 (billing) from confirming, and restart it if it hangs
}
