module notation-gatekeeper-provider/tools/reaper

go 1.26.0

tool notation-gatekeeper-provider/tools/reaper
