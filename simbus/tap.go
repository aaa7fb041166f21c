package simbus

// TapFunc is shown what passes a place of a link between boards, such as a frame: its
// beginning, as much as its caller keeps, and its length in bytes. from names the port that
// it came from. At a port, arrives tells whether it arrives there instead of coming from
// there. Calls for one place come in order; in real time they come on any goroutine,
// several at once.
type TapFunc func(at Time, from string, arrives bool, frame []byte, length int)
