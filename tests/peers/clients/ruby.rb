#!/usr/bin/ruby
# SPDX-License-Identifier: GPL-2.0-or-later
# ruby-libvirt through a network's life. Arguments: URI, XML file. Prints one line per step.
require 'libvirt'

uri, file = ARGV
c = Libvirt::open(uri)
puts "type #{c.type}"
net = c.define_network_xml(File.read(file))
puts "defined #{net.name} #{net.uuid.length}"
puts "active #{net.active?}"
net.create
puts "active #{net.active?} bridge #{net.bridge_name}"
net.autostart = true
puts "autostart #{net.autostart?}"
puts "listed #{c.list_all_networks.map(&:name).join(',')}"
puts "old lists #{c.list_networks.join(',')} #{c.num_of_networks}"
puts "persistent #{net.persistent?}"
begin
  net.create
rescue Libvirt::Error => e
  puts "again #{e.libvirt_level} #{e.libvirt_code} #{e.libvirt_component} #{e.libvirt_message}"
end
begin
  c.lookup_network_by_name('nope')
rescue Libvirt::RetrieveError => e
  puts "missing #{e.libvirt_code} #{e.libvirt_message}"
end
puts "xml #{net.xml_desc.include?("<bridge name='vsys0'") ? 'ok' : 'bad'}"
net.destroy
net.undefine
c.close
puts 'closed'
