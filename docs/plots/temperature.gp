# Draws docs/temperature.svg from the learning curves of the example. In the repository's root:
#
#     temperature --csv temperature.csv
#     gnuplot docs/plots/temperature.gp
#
# Other names: gnuplot -e "csv='FILE'; svg='FILE'" docs/plots/temperature.gp

if (!exists("csv")) csv = 'temperature.csv'
if (!exists("svg")) svg = 'docs/temperature.svg'

set terminal svg size 960,340 font "sans-serif,13" background rgb "white"
set output svg
set datafile separator ","
set datafile columnheaders
set datafile missing NaN

free = "#d55e00"   # these two can be told apart by colour-blind eyes too
held = "#0072b2"
set style line 1 lc rgb free lw 2.2
set style line 2 lc rgb free lw 2.2 dt (6, 4)
set style line 3 lc rgb held lw 2.2
set style line 4 lc rgb held lw 2.2 dt (6, 4)

set border 3 lc rgb "#606060"
set tics nomirror out scale 0.5 textcolor rgb "#303030"
set grid ytics lc rgb "#e4e4e4" lt 1 lw 1
set title font ",14"
set tmargin at screen 0.87
set bmargin at screen 0.17
unset key
set multiplot

# A column, where the row belongs to this optimizer and constraint. `smooth unique` then averages
# over the splits.
of(optimizer, constraint, name) = (strcol("optimizer") eq optimizer \
    && strcol("constraint") eq constraint) ? column(name) : NaN

set xlabel "step" offset 0, 0.4
set xrange [0:240]
set xtics 60

set lmargin at screen 0.035
set rmargin at screen 0.31
set title "Weight norm, mean of 100 splits"
set yrange [0:20]
set ytics 5
set label 1 "Sgd" at 45, 15.6 center tc rgb free
set label 2 "Adam" at 90, 7.9 center tc rgb free
set label 3 "both with max-norm 1" at 90, 2.2 center tc rgb held
plot for [i = 1:2] csv using (column("step")):(of(word("Sgd Adam", i), "none", "weight_norm")) \
         smooth unique ls i notitle, \
     for [i = 1:2] csv using (column("step")):(of(word("Sgd Adam", i), "max-norm", "weight_norm")) \
         smooth unique ls i + 2 notitle
unset label

set lmargin at screen 0.375
set rmargin at screen 0.65
set title "Held-out log loss, mean of 100 splits"
set yrange [0:2.5]
set ytics 0.5 format "%.1f"
set label 1 "Sgd" at 50, 1.95 center tc rgb free
set label 2 "Adam" at 90, 1.08 center tc rgb free
set label 3 "both with max-norm 1" at 90, 0.28 center tc rgb held
plot for [i = 1:2] csv using (column("step")):(of(word("Sgd Adam", i), "none", "heldout_loss")) \
         smooth unique ls i notitle, \
     for [i = 1:2] csv using (column("step")):(of(word("Sgd Adam", i), "max-norm", "heldout_loss")) \
         smooth unique ls i + 2 notitle
unset label

# The last weights of Sgd: y = slope * celsius + intercept. Rows without a constraint come first.
splits = 16
array slope[2 * splits]
array intercept[2 * splits]
last(s) = strcol("optimizer") eq "Sgd" && column("step") == 240 && column("split") <= splits
index_of(s) = int(column("split")) + (strcol("constraint") eq "none" ? 0 : splits)
set table $unused
plot csv using (last(0) ? (slope[index_of(0)] = column("slope"), \
                           intercept[index_of(0)] = column("intercept")) : NaN):(0) notitle
unset table
p(i, celsius) = 0.5 * (1 + tanh((slope[i] * celsius + intercept[i]) / 2))

set lmargin at screen 0.715
set rmargin at screen 0.985
set title "P(hot) in the end, Sgd, 16 splits"
set xlabel "°C"
set xrange [10:40]
set xtics 10
set yrange [0:1]
set ytics 0.5
set samples 41
set arrow 1 from 30, 0 to 30, 1 nohead lc rgb "#909090" lw 1 dt (2, 3) back
plot for [i = 1:2 * splits] p(i, x) lc rgb (i <= splits ? free : held) lw 1.1 notitle
unset multiplot
