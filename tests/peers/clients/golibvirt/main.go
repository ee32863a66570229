// SPDX-License-Identifier: GPL-2.0-or-later

// go-libvirt, the client in pure Go that Terraform's provider uses, through a network's life.
// Arguments: socket path, XML file. Prints one line per step.
package main

import (
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	libvirt "github.com/digitalocean/go-libvirt"
)

func check(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func main() {
	conn, err := net.DialTimeout("unix", os.Args[1], 2*time.Second)
	check(err)
	xml, err := os.ReadFile(os.Args[2])
	check(err)
	l := libvirt.New(conn)
	check(l.ConnectToURI("network:///system"))
	kind, err := l.ConnectGetType()
	check(err)
	fmt.Println("type", kind)
	network, err := l.NetworkDefineXML(string(xml))
	check(err)
	fmt.Println("defined", network.Name)
	check(l.NetworkCreate(network))
	active, err := l.NetworkIsActive(network)
	check(err)
	fmt.Println("active", active)
	check(l.NetworkSetAutostart(network, 1))
	nets, _, err := l.ConnectListAllNetworks(1, 0)
	check(err)
	fmt.Println("listed", len(nets), nets[0].Name)
	bridge, err := l.NetworkGetBridgeName(network)
	check(err)
	fmt.Println("bridge", bridge)
	desc, err := l.NetworkGetXMLDesc(network, 0)
	check(err)
	fmt.Println("xml", strings.Contains(desc, "<bridge name='vsys0'"))
	leases, _, err := l.NetworkGetDhcpLeases(network, libvirt.OptString{}, 1, 0)
	check(err)
	fmt.Println("leases", len(leases))
	err = l.NetworkUpdate(network, uint32(libvirt.NetworkUpdateCommandAddLast),
		uint32(libvirt.NetworkSectionIPDhcpHost), -1,
		"<host mac='52:54:00:00:00:01' ip='192.168.66.5'/>",
		libvirt.NetworkUpdateAffectLive|libvirt.NetworkUpdateAffectConfig)
	check(err)
	_, err = l.NetworkLookupByName("nope")
	e, ok := err.(libvirt.Error)
	fmt.Println("missing", ok, e.Code, libvirt.IsNotFound(err), e.Message)
	check(l.NetworkDestroy(network))
	check(l.NetworkUndefine(network))
	check(l.Disconnect())
	fmt.Println("closed")
}
