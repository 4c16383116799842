module reeve_bench/measure

go 1.25
