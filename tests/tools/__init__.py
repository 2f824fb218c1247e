"""Fetches the stock programs that the demo and the real tests run against, into one directory, without installing them.

`python -m tools` fills the directory named by `ETCD_DR_TOOLS_DIR`, else `.tools` beside `pyproject.toml`:

    .tools/etcd-<version>/{etcd,etcdctl,etcdutl}     one directory per version; the binary itself says which it is
    .tools/bin/{age,age-keygen,zstd}                 for undoing our envelope with programs that are not ours
    .tools/bin/{sshd,busybox}, .tools/lib            a real ssh server, and the poorest node that it may serve

    .tools/envtest/kube-apiserver                    unpacked where a packed one is at hand (tools/envtest.py)
    .tools/chromium-<suite>, .tools/bin/chromium     a browser for the status page, where the machine has none
    .tools/kubernetes-validate                       schemas of Kubernetes' own kinds, for the chart's manifests

Standard library only: this runs before anything is installed. One module per place that programs come from; each
place may fail (no such distribution, no network, no compiler) and says so in one line while the others go on.
`make demo` takes one etcd; `make tools` what is quick; `make tools-all` also what few tests need or has to be compiled.
"""
