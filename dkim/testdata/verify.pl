# Verifies mails with Mail::DKIM. Arguments: a file of records (name, TAB, value), then the mails.
# Prints for each signature the file, the selector and the verdict.
use strict;
use warnings;
use Mail::DKIM::DNS;
use Mail::DKIM::Verifier;
use Net::DNS;

my %records;
open my $in, '<', shift or die $!;
while (<$in>) { chomp; my ( $name, $value ) = split /\t/; $records{$name} = $value }

package Zone;

sub send {
    my ( undef, $name, $type ) = @_;
    my $packet = Net::DNS::Packet->new( $name, $type );
    my @strings = unpack '(a255)*', $records{$name};
    $packet->push( answer => Net::DNS::RR->new( name => $name, type => 'TXT', txtdata => \@strings ) );
    return $packet;
}
sub errorstring { 'NOERROR' }

package main;

Mail::DKIM::DNS::resolver( bless {}, 'Zone' );
for my $path (@ARGV) {
    open my $mail, '<:raw', $path or die $!;
    my $verifier = Mail::DKIM::Verifier->new;
    while (<$mail>) { $verifier->PRINT($_) }
    $verifier->CLOSE;
    print join( "\t", $path, $_->selector, $_->result ), "\n" for $verifier->signatures;
}
