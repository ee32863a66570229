#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# Sys::Virt through a network's life. Arguments: URI, XML file. Prints one line per step.
use strict;
use warnings;
use Sys::Virt;

my ($uri, $file) = @ARGV;
my $c = Sys::Virt->new(uri => $uri);
open(my $f, '<', $file) or die $!;
my $xml = do { local $/; <$f> };

print "type ", $c->get_type(), "\n";
my $net = $c->define_network($xml);
print "defined ", $net->get_name(), " ", length($net->get_uuid()), "\n";
print "active ", $net->is_active() ? 1 : 0, "\n";
$net->create();
print "active ", $net->is_active() ? 1 : 0, " bridge ", $net->get_bridge_name(), "\n";
$net->set_autostart(1);
print "autostart ", $net->get_autostart() ? 1 : 0, "\n";
print "listed ", join(",", map { $_->get_name() } $c->list_all_networks()), "\n";
print "old lists ", $c->num_of_networks(), " ", $c->num_of_defined_networks(), "\n";
print "xml ", $net->get_xml_description() =~ /<bridge name='vsys0'/ ? "ok" : "bad", "\n";
my @leases = $net->get_dhcp_leases();
print "leases ", scalar(@leases), "\n";
eval { $net->create() };
print "again ", $@->code, " ", $@->domain, " ", $@->message, "\n";
eval { $c->get_network_by_name("nope") };
print "missing ", $@->code, " ", $@->domain, " ", $@->message, "\n";
eval { $c->define_network("<domain/>") };
print "wrong ", $@->code, " ", $@->message, "\n";
$net->update(Sys::Virt::Network::UPDATE_COMMAND_ADD_LAST, Sys::Virt::Network::SECTION_IP_DHCP_HOST, -1,
	"<host mac='52:54:00:00:00:01' ip='192.168.66.5'/>",
	Sys::Virt::Network::UPDATE_AFFECT_LIVE | Sys::Virt::Network::UPDATE_AFFECT_CONFIG);
print "updated ", $net->get_xml_description() =~ /ip='192.168.66.5'/ ? "ok" : "bad", "\n";
$net->destroy();
$net->undefine();
eval { $c->get_network_by_name("sysnet") };
print "gone ", $@->code, "\n";
