#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt-python on asyncio's event loop: events, keepalive and the end of the connection.

Arguments: URI, XML file. Prints one line per step.
"""
import asyncio
import sys

import libvirt
import libvirtaio

NAMES = {libvirt.VIR_NETWORK_EVENT_DEFINED: "defined", libvirt.VIR_NETWORK_EVENT_UNDEFINED: "undefined",
         libvirt.VIR_NETWORK_EVENT_STARTED: "started", libvirt.VIR_NETWORK_EVENT_STOPPED: "stopped"}


async def life(uri, xml):
    libvirtaio.virEventRegisterAsyncIOImpl(loop=asyncio.get_running_loop())
    c = libvirt.open(uri)
    libvirt.registerErrorHandler(lambda *args: None, None)
    print("keepalive", c.setKeepAlive(1, 3))
    events = asyncio.Queue()
    closed = asyncio.Event()
    c.registerCloseCallback(lambda _c, reason, event: event.set(), closed)
    ticket = c.networkEventRegisterAny(None, libvirt.VIR_NETWORK_EVENT_ID_LIFECYCLE,
                                       lambda _c, net, event, _detail, q: q.put_nowait((net.name(), NAMES[event])), events)
    net = c.networkDefineXML(xml)
    # each step waits for the last one's event, which only the loop can bring
    for step in (None, net.create, net.destroy, net.undefine):
        if step:
            step()
        print("event", *await asyncio.wait_for(events.get(), 10))
    await asyncio.sleep(3)	# pings go both ways meanwhile
    print("alive", c.isAlive(), "closed", closed.is_set())
    c.networkEventDeregisterAny(ticket)
    net = c.networkDefineXML(xml)
    net.undefine()
    await asyncio.sleep(0.3)
    print("left", events.qsize())
    c.unregisterCloseCallback()
    c.close()


with open(sys.argv[2]) as f:
    asyncio.run(life(sys.argv[1], f.read()))
