module podtool

go 1.24
