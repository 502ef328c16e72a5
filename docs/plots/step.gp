# Draws docs/step.svg: what MaxNorm adds to a step of Adam. In the repository's root:
#
#     python3 bench/ratios.py build/bench/bench --csv build
#     gnuplot docs/plots/step.gp
#
# Other names: gnuplot -e "csv='FILE'; svg='FILE'" docs/plots/step.gp

if (!exists("csv")) csv = 'build/step.csv'
if (!exists("svg")) svg = 'docs/step.svg'

set terminal svg size 960,360 font "sans-serif,13" background rgb "white"
set output svg
set datafile separator ";"
set datafile columnheaders

alone = "#909090"
all = "#d55e00"   # these two can be told apart by colour-blind eyes too
none = "#0072b2"
set style line 1 lc rgb alone lw 2 dt (6, 4)
set style line 2 lc rgb none lw 2.2 pt 7 ps 0.4
set style line 3 lc rgb all lw 2.2 pt 7 ps 0.4

set border 3 lc rgb "#606060"
set tics nomirror out scale 0.5 textcolor rgb "#303030"
set grid ytics lc rgb "#e4e4e4" lt 1 lw 1
set title font ",14"
set logscale x 2
set xrange [2**10:*]
set autoscale xfixmax
set xlabel "weights" offset 0, 0.4
set xtics ("1 KiB" 2**10, "32 KiB" 2**15, "1 MiB" 2**20, "64 MiB" 2**26, "1 GiB" 2**30)
set key top left samplen 1.5 reverse Left

# Both panels to one scale.
top = 0
do for [name in '"alone" "contiguous, none" "contiguous, all" "strided, none" "strided, all"'] {
  stats csv using name nooutput
  if (STATS_max > top) { top = STATS_max }
}
set yrange [0:1.25 * top]
set multiplot layout 1, 2

set ylabel "ns for each weight" offset 1, 0
set title "a step of Adam and MaxNorm on contiguous vectors"
plot csv using "bytes":"contiguous, all" with linespoints ls 3 title "all exceed the limit", \
     csv using "bytes":"contiguous, none" with linespoints ls 2 title "none exceeds it", \
     csv using "bytes":"alone" with lines ls 1 title "Adam alone"
unset ylabel
set title "the same on strided vectors"
plot csv using "bytes":"strided, all" with linespoints ls 3 title "all exceed the limit", \
     csv using "bytes":"strided, none" with linespoints ls 2 title "none exceeds it", \
     csv using "bytes":"alone" with lines ls 1 title "Adam alone"
unset multiplot
