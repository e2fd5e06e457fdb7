#!/bin/bash
# The first process of the User-Mode Linux that tests/web/netem.py starts: routes between two networks, 10.77.0.0/24 and
# 10.77.1.0/24, and does what tc is told line by line. It ends, and the kernel with it, where its input does.
mount -t proc none /proc
stty -echo
insmod "/usr/lib/uml/modules/$(uname -r)/kernel/net/sched/sch_netem.ko"
for way in 0 1; do
    ip address add "10.77.$way.1/24" dev "vec$way"
    ip link set "vec$way" up
done
echo 1 > /proc/sys/net/ipv4/ip_forward
echo "router: $(uname -r)"
exec tc -s -batch -
