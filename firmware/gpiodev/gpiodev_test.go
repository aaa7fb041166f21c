package gpiodev

import (
	"testing"
	"unsafe"
)

// TestLayout compares the structures with the kernel's, whose sizes are in the
// request numbers too.
func TestLayout(t *testing.T) {
	for name, s := range map[string]struct{ got, want uintptr }{
		"gpiochip_info":          {unsafe.Sizeof(chipInfo{}), 68},
		"gpio_v2_line_attribute": {unsafe.Sizeof(lineAttribute{}), 16},
		"gpio_v2_line_info":      {unsafe.Sizeof(lineInfo{}), 256},
		"gpio_v2_line_config":    {unsafe.Sizeof(lineConfig{}), 272},
		"gpio_v2_line_request":   {unsafe.Sizeof(lineRequest{}), 592},
		"gpio_v2_line_values":    {unsafe.Sizeof(lineValues{}), 16},
		"gpio_v2_line_event":     {unsafe.Sizeof(lineEvent{}), 48},
	} {
		if s.got != s.want {
			t.Errorf("%s has %d bytes, want %d", name, s.got, s.want)
		}
	}
	for name, r := range map[string]struct{ request, size uintptr }{
		"GPIO_GET_CHIPINFO_IOCTL":       {getChipInfo, 68},
		"GPIO_V2_GET_LINEINFO_IOCTL":    {getLineInfo, 256},
		"GPIO_V2_GET_LINE_IOCTL":        {getLine, 592},
		"GPIO_V2_LINE_GET_VALUES_IOCTL": {getValues, 16},
	} {
		if got := r.request >> 16 & 0x3fff; got != r.size {
			t.Errorf("%s says %d bytes, want %d", name, got, r.size)
		}
	}
}
