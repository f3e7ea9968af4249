# SPDX-License-Identifier: GPL-3.0-or-later
# Completion of punchguard(1) for fish(1).

set -l commands up down status id invite join peers rename remove introduce accept export import ping events reload netcheck doctor

# Asks the broker that the command line names so far; to ping -c is another option.
function __punchguard_ask
    set -l words (commandline -opc)
    set -l where
    set -l previous
    set -l ping
    for word in $words[2..-1]
        switch "$previous"
            case -c --config --socket
                set -a where $previous $word
                set previous
                continue
        end
        switch $word
            case ping
                set ping yes
            case '--config=*' '--socket=*'
                set -a where $word
        end
        set previous $word
        test "$word$ping" != -cyes; or set previous
    end
    punchguard $where $argv 2>/dev/null
end

complete -c punchguard -f
complete -c punchguard -s c -l config -r -F -n "not __fish_seen_subcommand_from ping" -d "The broker's configuration"
complete -c punchguard -l socket -r -F -d "The control socket"
complete -c punchguard -l json -d "Print JSON"
complete -c punchguard -s h -l help -d "Say how it is used"

set -l none "not __fish_seen_subcommand_from $commands"
complete -c punchguard -n $none -l version -d "Say the version"
complete -c punchguard -n $none -l describe -d "Print the messages of the control socket"
complete -c punchguard -n $none -a up -d "Start the broker, and wait until it is ready"
complete -c punchguard -n $none -a down -d "End the broker and take the tunnels down"
complete -c punchguard -n $none -a status -d "Say how everything is"
complete -c punchguard -n $none -a id -d "Print what the other device must know"
complete -c punchguard -n $none -a invite -d "Print what another device needs to join"
complete -c punchguard -n $none -a join -d "Join the device that made an invitation"
complete -c punchguard -n $none -a rename -d "Call a peer that joined by another name"
complete -c punchguard -n $none -a remove -d "Forget a peer that joined"
complete -c punchguard -n $none -a introduce -d "Tell two peers of each other"
complete -c punchguard -n $none -a accept -d "Take a device that a peer introduced"
complete -c punchguard -n $none -a export -d "Write the identity to a file"
complete -c punchguard -n $none -a import -d "Become the device of that file"
complete -c punchguard -n $none -a peers -d "List the peers"
complete -c punchguard -n $none -a ping -d "Say over which path a peer answers"
complete -c punchguard -n $none -a events -d "Print events as they come"
complete -c punchguard -n $none -a reload -d "Have the broker reread its configuration"
complete -c punchguard -n $none -a netcheck -d "Say what NATs and firewalls do"
complete -c punchguard -n $none -a doctor -d "Look for what stands in the way"

complete -c punchguard -n "__fish_seen_subcommand_from up" -l log -r -F -d "Where the log goes"
complete -c punchguard -n "__fish_seen_subcommand_from up ping join" -l timeout -x -d "How long to wait, in seconds"
complete -c punchguard -n "__fish_seen_subcommand_from invite join" -l name -x -d "What the other device is called here"
complete -c punchguard -n "__fish_seen_subcommand_from invite join accept" -l inbound -x -a "all none icmp" -d "What it may begin here"
complete -c punchguard -n "__fish_seen_subcommand_from invite" -l expires -x -d "90m, 24h, 7d"
complete -c punchguard -n "__fish_seen_subcommand_from invite" -l qr -d "As a QR code too"
complete -c punchguard -n "__fish_seen_subcommand_from invite" -l list -d "The invitations"
complete -c punchguard -n "__fish_seen_subcommand_from invite" -l cancel -x -d "Take one back"
complete -c punchguard -n "__fish_seen_subcommand_from join" -l no-wait -d "Do not wait"
complete -c punchguard -n "__fish_seen_subcommand_from import" -l replace -d "Lose the identity that is here"
complete -c punchguard -n "__fish_seen_subcommand_from import export" -F
complete -c punchguard -n "__fish_seen_subcommand_from down" -l keep -d "Leave the tunnels"
complete -c punchguard -n "__fish_seen_subcommand_from status" -s w -l watch -d "Go on"
complete -c punchguard -n "__fish_seen_subcommand_from status" -l interval -x -d "Every so many seconds"
complete -c punchguard -n "__fish_seen_subcommand_from status" -l prometheus -d "Print metrics"
complete -c punchguard -n "__fish_seen_subcommand_from peers" -l names -d "Only names"
complete -c punchguard -n "__fish_seen_subcommand_from ping" -s c -l count -x -d "How often"
complete -c punchguard -n "__fish_seen_subcommand_from ping" -l until-direct -d "Until an answer came over a direct path"
complete -c punchguard -n "__fish_seen_subcommand_from status ping rename remove introduce" -a "(__punchguard_ask peers --names)" -d Peer
complete -c punchguard -n "__fish_seen_subcommand_from accept" -a "(__punchguard_ask accept | string match -r '^\S+(?=  PG1)')" -d Introduced
complete -c punchguard -n "__fish_seen_subcommand_from netcheck" -l stun -x -d "A STUN server"
complete -c punchguard -n "__fish_seen_subcommand_from doctor" -l offline -d "Send nothing to the network"
