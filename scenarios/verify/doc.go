// Package verify proves that a run can be repeated: it compares what two runs
// have recorded, and finds the first thing, in the appliance's time, that is not
// the same.
//
// Words: a record is the folder that a run with appliance.Options.Out leaves; a
// stream is one file of it. Streams are read side by side and never held in
// memory. What is about the host is left out: what the host's side of a kernel
// prints (the folder uml), and where things lie there (run.json).
package verify
