package export

// WriteCheckpoint is writeCheckpoint.
var WriteCheckpoint = writeCheckpoint
