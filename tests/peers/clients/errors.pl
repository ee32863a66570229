#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# Failures through Sys::Virt, one line each: NAME<tab>CODE DOMAIN MESSAGE (its level() gives the code). Argument: URI of a
# daemon with the networks of test_errors.py; the names are those of its table.
use strict;
use warnings;
use Sys::Virt;

my ($uri) = @ARGV;
my $c = Sys::Virt->new(uri => $uri);
my $ro = Sys::Virt->new(uri => $uri, readonly => 1);
my $nowhere = "3a2a0a80-0f0f-4d4d-8a8a-0000000000ee";
my ($on, $off, $gone) = map { $c->get_network_by_name($_) } qw(on off gone);
my $host = "<host mac='52:54:00:00:00:01' ip='192.168.1.50'/>";
my ($live, $config) = (Sys::Virt::Network::UPDATE_AFFECT_LIVE, Sys::Virt::Network::UPDATE_AFFECT_CONFIG);

sub update {
	my ($net, $command, $section, $xml, $flags) = @_;
	return sub { $net->update($command, $section, -1, $xml, $flags) };
}

my @cases = (
	"lookup by name" => sub { $c->get_network_by_name("nope") },
	"lookup by uuid" => sub { $c->get_network_by_uuid($nowhere) },
	"start of an active network" => sub { $on->create() },
	"destroy of an inactive network" => sub { $off->destroy() },
	"undefine of a transient network" => sub { $gone->undefine() },
	"autostart of a transient network" => sub { $gone->set_autostart(1) },
	"live update of an inactive network" => update($off, 3, 4, $host, $live),
	"configuration of a transient network" => update($gone, 3, 4, $host, $config),
	"delete of a host that is not there" => update($on, 2, 4, $host, $config),
	"update of the bridge" => update($on, 1, 1, "<bridge name='x'/>", $config),
	"update that is not well-formed" => update($on, 3, 4, "<host", $config),
	"document that ends early" => sub { $c->define_network("<network>") },
	"other root element" => sub { $c->define_network("<domain><name>x</name></domain>") },
	"ports of an inactive network" => sub { $off->list_all_ports() },
	"port that is not there" => sub { $on->get_port_by_uuid($nowhere) },
	"bad mac of a lease" => sub { $on->get_dhcp_leases("zz:zz") },
	"unknown flag of the document" => sub { $on->get_xml_description(64) },
	"read-only start" => sub { $ro->get_network_by_name("off")->create() },
	"read-only undefine" => sub { $ro->get_network_by_name("off")->undefine() },
	"pools" => sub { $c->list_all_storage_pools() },
	"devices" => sub { $c->list_all_node_devices() },
);

while (my ($name, $case) = splice(@cases, 0, 2)) {
	eval { $case->() };
	my $said = ref $@ ? join(" ", $@->code, $@->domain, $@->message) : "no error";
	$said =~ s/\n/\\n/g;
	print "$name\t$said\n";
}
