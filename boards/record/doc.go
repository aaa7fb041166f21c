// Package record writes down what a run of an appliance was and did, in a folder, and
// reads it back: run.json (what was run), inputs.jsonl (what the outside did), events.jsonl,
// the files of consoles and captures, contents of chips, and end.json, the mark that is
// written last and says how much of each file there is. It knows no board that runs.
package record
