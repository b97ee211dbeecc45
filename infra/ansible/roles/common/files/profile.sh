# shellcheck shell=bash
# Managed by Ansible.
# For people at a prompt: away from the keyboard for a quarter of an hour ends the session.
TMOUT=900
readonly TMOUT
export TMOUT
ulimit -c 0
