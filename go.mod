module backplane

go 1.26.8
