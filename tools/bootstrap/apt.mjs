const APT = 'apt-get -y --no-install-recommends -o DPkg::Lock::Timeout=300';

/**
 * A shell script, run as root, that installs packages without a question and leaves no service of theirs running.
 * @param {readonly string[]} names
 * @param {readonly string[]} services
 */
export function aptScript(names, services) {
  for (const name of [...names, ...services]) {
    if (!/^[a-z0-9][a-z0-9.+-]*$/.test(name)) throw new Error(`not a package name: ${name}`);
  }
  return `set -e
export DEBIAN_FRONTEND=noninteractive
guard=/usr/sbin/policy-rc.d
if [ ! -e "$guard" ]; then
  printf '#!/bin/sh\\nexit 101\\n' > "$guard"
  chmod 755 "$guard"
  trap 'rm -f "$guard"' EXIT
  trap 'exit 1' INT TERM HUP
fi
ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 || apt-get update
${APT} install ${names.join(' ')} || { apt-get update; ${APT} install ${names.join(' ')}; }
for service in ${services.join(' ')}; do
  if [ -d /run/systemd/system ]; then systemctl disable --now "$service" || true
  elif command -v update-rc.d >/dev/null; then update-rc.d "$service" disable || true
  fi
done
`;
}
