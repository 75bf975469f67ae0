// Package nettest is the network as tests need it: an address in front of
// servers whose connections can be cut, stalled, slowed and led elsewhere, and
// connections within the process, for bubbles of testing/synctest.
package nettest
