# Draws docs/bandwidth.svg: how fast MaxNorm goes over weights of each size. In the repository's root:
#
#     python3 bench/ratios.py build/bench/bench --csv build
#     gnuplot docs/plots/bandwidth.gp
#
# Other names: gnuplot -e "csv='FILE'; svg='FILE'" docs/plots/bandwidth.gp

if (!exists("csv")) csv = 'build/bandwidth.csv'
if (!exists("svg")) svg = 'docs/bandwidth.svg'

set terminal svg size 960,680 font "sans-serif,13" background rgb "white"
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
set xrange [2**6:*]
set autoscale xfixmax
set xtics ("64 B" 2**6, "1 KiB" 2**10, "32 KiB" 2**15, "1 MiB" 2**20, "64 MiB" 2**26, "1 GiB" 2**30)
set key top right samplen 1.5

# Gigabytes of floats in a second, from nanoseconds for each.
gigabytes(name) = 4 / column(name)

# Room for the key above the curves.
stats csv using (gigabytes("read")) nooutput
read_top = STATS_max
stats csv using (gigabytes("scale")) nooutput
scale_top = STATS_max

set multiplot layout 2, 2
set yrange [0:1.35 * read_top]

set ylabel "GB/s" offset 1, 0
set title "contiguous vectors, none exceeds the limit"
plot csv using "bytes":(gigabytes("read")) with lines ls 1 title "reading W", \
     csv using "bytes":(gigabytes("by hand, contiguous, none")) with lines ls 2 title "best hand-written Eigen", \
     csv using "bytes":(gigabytes("rein, contiguous, none")) with lines ls 3 title "rein"
unset ylabel
set title "strided vectors, none exceeds the limit"
plot csv using "bytes":(gigabytes("read")) with lines ls 1 title "reading W", \
     csv using "bytes":(gigabytes("by hand, strided, none")) with lines ls 2 title "best hand-written Eigen", \
     csv using "bytes":(gigabytes("rein, strided, none")) with lines ls 3 title "rein"
set yrange [0:1.35 * scale_top]
set ylabel "GB/s" offset 1, 0
set xlabel "weights" offset 0, 0.4
set title "contiguous vectors, all exceed the limit"
plot csv using "bytes":(gigabytes("scale")) with lines ls 1 title "W *= s", \
     csv using "bytes":(gigabytes("by hand, contiguous, all")) with lines ls 2 title "best hand-written Eigen", \
     csv using "bytes":(gigabytes("rein, contiguous, all")) with lines ls 3 title "rein"
unset ylabel
set title "strided vectors, all exceed the limit"
plot csv using "bytes":(4 / (column("read") + column("scale"))) with lines ls 1 title "reading W, then W *= s", \
     csv using "bytes":(gigabytes("by hand, strided, all")) with lines ls 2 title "best hand-written Eigen", \
     csv using "bytes":(gigabytes("rein, strided, all")) with lines ls 3 title "rein"
unset multiplot
