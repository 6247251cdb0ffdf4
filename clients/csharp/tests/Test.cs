using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Reflection;

namespace Tiltyard.Tests
{
    /// <summary>A method that is a test.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    internal sealed class TestAttribute : Attribute
    {
    }

    /// <summary>A class whose tests are left out where there is no server.</summary>
    [AttributeUsage(AttributeTargets.Class)]
    internal sealed class NeedsServerAttribute : Attribute
    {
    }

    /// <summary>What a test found wrong.</summary>
    internal sealed class Wrong : Exception
    {
        public Wrong(string message) : base(message)
        {
        }
    }

    internal static class Check
    {
        public static void That(bool holds, string what)
        {
            if (!holds)
            {
                throw new Wrong(what);
            }
        }

        public static void Same<T>(T wanted, T found, string what)
        {
            That(EqualityComparer<T>.Default.Equals(wanted, found), what + ": " + found + " in place of " + wanted);
        }

        /// <summary>The answer that an action must have by now: it is not waited for.</summary>
        public static Answer Told(this PlayerAction action)
        {
            That(action.Answer.IsCompleted, "action " + action.Id + " has its answer");
            return action.Answer.Result;
        }

        public static E Throws<E>(Action action, string what) where E : Exception
        {
            try
            {
                action();
            }
            catch (E error)
            {
                return error;
            }
            throw new Wrong(what + " threw nothing");
        }
    }

    /// <summary>
    /// Runs the tests whose names contain what is given, or all: <c>mono tests.exe [--server BINARY] [NAME…]</c>.
    /// </summary>
    internal static class Program
    {
        private static int Main(string[] arguments)
        {
            var names = arguments.ToList();
            var server = names.IndexOf("--server");
            if (server >= 0)
            {
                Server.Binary = names[server + 1];
                names.RemoveRange(server, 2);
            }
            var failed = 0;
            var passed = 0;
            var watch = Stopwatch.StartNew();
            foreach (var test in All().Where(test => names.Count == 0 || names.Any(name => test.Key.Contains(name))))
            {
                try
                {
                    test.Value();
                    passed += 1;
                }
                catch (Exception error)
                {
                    var inner = error is TargetInvocationException ? error.InnerException : error;
                    Console.WriteLine("not ok " + test.Key + "\n  " + (inner is Wrong ? inner.Message : inner.ToString()).Replace("\n", "\n  "));
                    failed += 1;
                }
            }
            Console.WriteLine("{0} tests passed, {1} failed, in {2:0.0} s", passed, failed, watch.Elapsed.TotalSeconds);
            return failed == 0 && passed > 0 ? 0 : 1;
        }

        private static IEnumerable<KeyValuePair<string, Action>> All()
        {
            var methods = Assembly.GetExecutingAssembly().GetTypes().OrderBy(type => type.Name)
                .SelectMany(type => type.GetMethods(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public))
                .Where(method => method.GetCustomAttribute<TestAttribute>() != null);
            foreach (var method in methods)
            {
                if (Server.Binary != null || method.DeclaringType.GetCustomAttribute<NeedsServerAttribute>() == null)
                {
                    yield return new KeyValuePair<string, Action>(
                        method.DeclaringType.Name + "." + method.Name, (Action)Delegate.CreateDelegate(typeof(Action), method));
                }
            }
            foreach (var test in KitTests.Cases()) yield return test;
        }
    }
}
