// Package chips is the catalog of parts that a board file can name: a package for
// each, with its periph.Model, and one line in [All]. Parts that share their
// registers share a package. A model keeps to the data sheet that its Source names,
// in the registers that a driver can see; the unmodified Linux driver is the judge.
package chips
