#!/usr/bin/env bash
# Print what was found as key=value; verify.yml knows what is right. The password stands in PASSWORD.
settings=/etc/sysgenpro/recovery
metrics=/var/lib/molecule-metrics
as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@" 2>&1; }
echo "armed=$(systemctl list-timers --no-legend 'sysgenpro-recovery-*' | awk '$1 != "-" && $1 != "n/a"' \
    | grep -o 'sysgenpro-recovery-[a-z]*@[a-z]*-molecule[.]timer' | sed 's/sysgenpro-recovery-//; s/-molecule.timer//' | sort | xargs)"
echo "enabled=$(systemctl is-enabled 'sysgenpro-recovery-check@acme-molecule.timer')"
echo "own-schedule=$(systemctl show --property TimersCalendar --value sysgenpro-recovery-capture@acme-molecule.timer | grep -c ':07:00')"
echo "role-schedule=$(systemctl show --property TimersCalendar --value sysgenpro-recovery-capture@bodega-molecule.timer | grep -c ':15:00')"
echo "others-read=$(as_nobody cat $settings/acme-molecule.json | grep -c 'Permission denied')"
echo "secrets-elsewhere=$(grep -rlF --exclude-dir=recovery -e "$PASSWORD" /etc/systemd /usr/local/sbin /etc/sysgenpro /var/lib/molecule-metrics | wc -l)"
echo "password-kept=$(python3 -c "import json, os; print(json.load(open('$settings/acme-molecule.json'))['params']['repository']['password'] == os.environ['PASSWORD'])")"

echo "secret-names=$(python3 -c "import json; print(*json.load(open('$settings/acme-molecule.json'))['params']['secret_names'])")"

# No point is there: the check says so, its unit fails, and the metrics say it too.
said=$(sysgenpro-recovery check acme-molecule 2>&1)
echo "check=$?"
echo "check-says=$said"
systemctl start sysgenpro-recovery-check@acme-molecule.service 2>/dev/null
echo "check-unit=$(systemctl is-failed sysgenpro-recovery-check@acme-molecule.service)"
run=$(systemctl show --property InvocationID --value sysgenpro-recovery-check@acme-molecule.service)
echo "check-journal=$(journalctl --quiet --output cat "_SYSTEMD_INVOCATION_ID=$run" | grep -c 'no_verified_point: acme-molecule')"
systemctl reset-failed sysgenpro-recovery-check@acme-molecule.service
file=$metrics/sysgenpro-recovery-acme-molecule-check.prom
echo "metric=$(grep -c '^sysgenpro_recovery_last_run_success{instance_name="acme-molecule",verb="check"} 0$' $file)"
echo "metric-points=$(grep -c '^sysgenpro_recovery_points{instance_name="acme-molecule",state="verified"} 0$' $file)"
echo "metric-others-read=$(as_nobody cat $file | grep -c '^sysgenpro_recovery_last_run_timestamp_seconds{')"
# With a point that was just verified all is well, until a run is missed.
point() {
    PYTHONPATH=/opt/sysgenpro/recovery python3 -s - "$1" <<'EOF'
import datetime, json, sys
from sysgenpro_odoo._kernel.arguments import filled
from sysgenpro_odoo._recovery.arguments import ARGUMENTS
from sysgenpro_odoo._recovery.model import desired
from sysgenpro_odoo._recovery.operation import open_points

at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=int(sys.argv[1]))
settings = json.load(open("/etc/sysgenpro/recovery/acme-molecule.json"))
points = open_points(desired(filled(ARGUMENTS, {**settings["params"], "state": "verified"})))
points.signer.make_key()
name = f"{at:%Y%m%dT%H%M%S}-0a1b2c3d"
points.write_manifest({"id": name, "identity": {"instance": "acme-molecule"}, "taken": {"at": at.isoformat()}, "keep_until": "", "locked_until": ""}, None)
points.add_verification(next(point for point in points.all() if point.id == name), "verified", {})
EOF
}
install -d -m 0700 /var/lib/sysgenpro/instances/acme-molecule/state
point 3
echo "too-old=$(sysgenpro-recovery check acme-molecule 2>&1 | sed 's/is [0-9]* s old/is N s old/; s/ at 20.*//')"
point 0
echo "well=$(sysgenpro-recovery check acme-molecule 2>&1 | cut -d' ' -f1-5) $(grep -c '^sysgenpro_recovery_missed{.*} 0$' $file)"
systemctl stop sysgenpro-recovery-expire@acme-molecule.timer
date -d '2 days ago' +%s > /var/lib/sysgenpro/recovery-runs/acme-molecule-expire
systemctl start sysgenpro-recovery-check@acme-molecule.service 2>/dev/null
echo "missed-unit=$(systemctl is-failed sysgenpro-recovery-check@acme-molecule.service)"
run=$(systemctl show --property InvocationID --value sysgenpro-recovery-check@acme-molecule.service)
echo "missed-journal=$(journalctl --quiet --output cat "_SYSTEMD_INVOCATION_ID=$run" | grep -c 'missed_run: expire of acme-molecule was due at 20')"
echo "missed-metric=$(sed -n 's/^sysgenpro_recovery_missed{instance_name="acme-molecule",verb="\(.*\)"} /\1/p' $file | sort | xargs)"
systemctl reset-failed sysgenpro-recovery-check@acme-molecule.service
systemctl start sysgenpro-recovery-expire@acme-molecule.timer
date +%s > /var/lib/sysgenpro/recovery-runs/acme-molecule-expire
rm -rf /var/lib/molecule-recovery /var/lib/sysgenpro/instances/acme-molecule
echo "verify-says=$(sysgenpro-recovery verify acme-molecule 2>&1)"
# No database is there: a capture fails and makes no repository.
echo "capture-says=$(sysgenpro-recovery capture acme-molecule 2>&1 | cut -d: -f1)"
echo "repository=$(ls -d /var/lib/molecule-recovery/restic 2>/dev/null)"
echo "out-of-reach=$(sysgenpro-recovery check bodega-molecule 2>&1 | head -n1 | cut -d: -f1)"
echo "unknown=$(sysgenpro-recovery check nobodys 2>&1 | cut -d: -f1)"
echo "usage=$(sysgenpro-recovery destroy acme-molecule 2>&1 | grep -c '^usage:')"
