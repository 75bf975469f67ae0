package catalog

// MatchesStandbyNames reports whether a value of synchronous_standby_names
// takes a walsender called application for a synchronous standby. A value that
// the server would refuse matches nobody. RULES 1.
func MatchesStandbyNames(setting, application string) bool {
	name, err := standbyNameMatch(setting, application)
	return err == nil && name != ""
}
