# Draws docs/growth.svg: time for each weight, and memory beyond the weights, from 1 MiB to 4 GiB. In
# the repository's root:
#
#     python3 bench/ratios.py build/bench/bench --programs growth --csv build
#     gnuplot docs/plots/growth.gp
#
# Other names: gnuplot -e "csv='FILE'; svg='FILE'" docs/plots/growth.gp

if (!exists("csv")) csv = 'build/growth.csv'
if (!exists("svg")) svg = 'docs/growth.svg'

set terminal svg size 960,400 font "sans-serif,13" background rgb "white"
set output svg
set datafile separator ";"
set datafile columnheaders

limit = "#909090"
all = "#d55e00"   # these two can be told apart by colour-blind eyes too
none = "#0072b2"
set style line 1 lc rgb limit lw 2 dt (6, 4)
set style line 2 lc rgb limit lw 2 dt (2, 3)
set style line 3 lc rgb none lw 2.2 pt 7 ps 0.4
set style line 4 lc rgb none lw 2.2 pt 6 ps 0.6 dt (6, 4)
set style line 5 lc rgb all lw 2.2 pt 7 ps 0.4
set style line 6 lc rgb all lw 2.2 pt 6 ps 0.6 dt (6, 4)

set border 3 lc rgb "#606060"
set tics nomirror out scale 0.5 textcolor rgb "#303030"
set grid ytics lc rgb "#e4e4e4" lt 1 lw 1
set title font ",14"
set logscale x 2
set xrange [2**20:2**32.3]
set xlabel "weights" offset 0, 0.4
set xtics ("1 MiB" 2**20, "16 MiB" 2**24, "256 MiB" 2**28, "4 GiB" 2**32)
set key top left samplen 2.5 reverse Left
set multiplot layout 1, 2

# Room for the key above the curves.
stats csv using "rein, strided, all" nooutput
set ylabel "ns for each weight" offset 1, 0
set yrange [0:1.5 * STATS_max]
set title "time of a call"
plot csv using "bytes":"rein, strided, all" with linespoints ls 6 title "strided, all exceed the limit", \
     csv using "bytes":"rein, contiguous, all" with linespoints ls 5 title "contiguous, all", \
     csv using "bytes":"rein, strided, none" with linespoints ls 4 title "strided, none", \
     csv using "bytes":"rein, contiguous, none" with linespoints ls 3 title "contiguous, none", \
     csv using "bytes":"scale" with lines ls 2 title "W *= s", \
     csv using "bytes":"read" with lines ls 1 title "reading W"

mebibytes(name) = column(name) / 2**20
set logscale y 10
set yrange [1:100000]
set ylabel "MiB" offset 1, 0
set title "peak memory of the process during a call"
plot csv using "bytes":(column("bytes") / 2**20) with lines ls 1 title "the weights", \
     csv using "bytes":(mebibytes("beyond, strided, all")) with linespoints ls 5 title "all but the weights"
unset multiplot
