package conn

// RaceEnabled tells the tests that they run under the race detector.
const RaceEnabled = raceEnabled

func init() { poison = true }
