# Draws docs/bandwidth.svg from the bandwidths of a run of the benchmarks. In the repository's root:
#
#     python3 bench/ratios.py build/bench/bench --csv bandwidth.csv
#     gnuplot docs/plots/bandwidth.gp
#
# Other names: gnuplot -e "csv='FILE'; svg='FILE'" docs/plots/bandwidth.gp

if (!exists("csv")) csv = 'bandwidth.csv'
if (!exists("svg")) svg = 'docs/bandwidth.svg'

set terminal svg size 960,380 font "sans-serif,13" background rgb "white"
set output svg
set datafile separator ";"
set datafile columnheaders

limit = "#909090"
hand = "#d55e00"   # these two can be told apart by colour-blind eyes too
rein = "#0072b2"
set style line 1 lc rgb limit lw 2 dt (6, 4)
set style line 2 lc rgb hand lw 2.2
set style line 3 lc rgb rein lw 2.2

set border 3 lc rgb "#606060"
set tics nomirror out scale 0.5 textcolor rgb "#303030"
set grid ytics lc rgb "#e4e4e4" lt 1 lw 1
set title font ",14"
set logscale x 2
set xlabel "weights" offset 0, 0.4
set xtics ("1 KiB" 2**10, "32 KiB" 2**15, "1 MiB" 2**20, "32 MiB" 2**25)
set yrange [0:]
set key top right samplen 1.5
set multiplot layout 1, 2

set ylabel "GB/s" offset 1, 0
set title "no row exceeds the limit (strided rows)"
plot csv using "bytes":"read" with lines ls 1 title "reading W", \
     csv using "bytes":"by hand, strided, none" with lines ls 2 title "best hand-written Eigen", \
     csv using "bytes":"rein, strided, none" with lines ls 3 title "rein"
set title "all columns exceed the limit (contiguous)"
plot csv using "bytes":"scale" with lines ls 1 title "W *= s", \
     csv using "bytes":"by hand, contiguous, all" with lines ls 2 title "best hand-written Eigen", \
     csv using "bytes":"rein, contiguous, all" with lines ls 3 title "rein"
unset multiplot
