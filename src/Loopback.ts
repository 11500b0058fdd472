/**
 * Which addresses never leave this machine.
 */
import * as net from "node:net"

const loopback = new net.BlockList()
loopback.addSubnet("127.0.0.0", 8, "ipv4")
loopback.addAddress("::1", "ipv6")

/** Whether an address is one of this machine's loopback addresses; IPv4 in IPv6 (`::ffff:127.0.0.1`) counts. */
export const isLoopback = (address: string | undefined): boolean =>
  address !== undefined && net.isIP(address) !== 0 && loopback.check(address, address.includes(":") ? "ipv6" : "ipv4")
