package tomlfile

import "strings"

// A is a name with its article, as it is spoken: an ina219, a tmp102, an lm75. Names that
// are short or have a digit are spelled.
func A(name string) string {
	vowels := "aeio" // "u" is mostly that of unit
	if len(name) <= 3 || strings.ContainsAny(name, "0123456789") {
		vowels = "aefhilmnorsx8"
	}
	if name != "" && strings.Contains(vowels, strings.ToLower(name[:1])) {
		return "an " + name
	}
	return "a " + name
}
