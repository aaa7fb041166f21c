// Command backplane simulates the boards of an appliance, real kernels included.
package main

import "fmt"

func main() { fmt.Println("backplane: nothing to run yet") }
