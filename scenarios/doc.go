// Package scenarios plays scenarios on appliances: steps along the clock that do
// something to the boards, and expectations of what must happen, by when.
//
// Words: a step acts, expects, or both. An expectation is about one thing (a
// console, a property, a GPIO line, a segment, a kind of event) and has a limit
// of time. A capture is text that one step finds and later ones use as ${name}.
// A [Recorder] listens to the appliance's stream of events from the start, so
// that nothing which happens between two steps is lost; [Run] plays a
// [Scenario] on an [Appliance] and returns a [Report].
//
// Whatever a scenario looks at is an event or a property, read while the
// appliance stands still, so the same scenario with the same seed gives the same
// report in virtual time.
package scenarios
