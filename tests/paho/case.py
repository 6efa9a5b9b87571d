"""One case of Eclipse Paho's interoperability suites against a server on this machine.

    case.py SUITE                      prints the cases: a module and a name on each line
    case.py SUITE MODULE NAME PORT     runs one; the exit status says whether it passed

SUITE is the folder `interoperability` of Paho's repository paho.mqtt.testing. The modules are meant to be started as
programs and set their own settings only then, so this script sets them; it changes nothing else. `cargo xtask paho`
calls it once for each case, because a case that hangs or leaves threads behind must not disturb another.
"""

import importlib
import sys
import unittest

MODULES = ["client_test", "client_test5"]


def load(name):
    module = importlib.import_module(name)
    module.host = "127.0.0.1"
    module.topic_prefix = ""
    module.topics = ("TopicA", "TopicA/B", "Topic/C", "TopicA/C", "/TopicA")
    module.wildtopics = ("TopicA/+", "+/C", "#", "/#", "/+", "+/+", "TopicA/#")
    module.nosubscribe_topics = ("test/nosubscribe",)
    return module


def main(folder, arguments):
    sys.path.insert(0, folder)
    if not arguments:
        for name in MODULES:
            for case in unittest.defaultTestLoader.getTestCaseNames(load(name).Test):
                print(name, case)
        return True
    name, case, port = arguments
    module = load(name)
    module.port = int(port)
    # In a suite, or the class would not be set up.
    suite = unittest.TestSuite([module.Test(case)])
    return unittest.TextTestRunner(verbosity=0).run(suite).wasSuccessful()


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(not main(sys.argv[1], sys.argv[2:]))
