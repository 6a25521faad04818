%% Which processes run old code of one of `modules`, and where each of them is.
%%
%% A purge would kill them, and a soft one is refused: release_handler answers
%% {error, {old_processes, Module}}, but only after it has changed every application's environment
%% (OTP: release_handler.erl, do_install_release/3). So it is asked here, beforehand.
%% check_process_code/2 sends the question to the process and waits; it does not wake user code.
#{modules := Modules} = Args,
Text = fun(Format, Terms) -> unicode:characters_to_binary(io_lib:format(Format, Terms)) end,
Old = [M || M <- Modules, erlang:check_old_code(M)],
Describe =
    fun(Pid, M) ->
        Info = fun(Key) ->
            case erlang:process_info(Pid, Key) of
                {Key, Value} -> Value;
                _ -> undefined
            end
        end,
        Name =
            case Info(registered_name) of
                undefined -> <<>>;
                [] -> <<>>;
                Registered -> Text("~tw", [Registered])
            end,
        Function =
            case Info(current_function) of
                {F, G, A} -> Text("~tw:~tw/~w", [F, G, A]);
                _ -> <<>>
            end,
        Frames =
            case Info(current_stacktrace) of
                Stack when is_list(Stack) ->
                    [Text("~tw:~tw/~w", [F, G, A]) || {F, G, A, _} <- lists:sublist(Stack, 8), is_integer(A)];
                _ ->
                    []
            end,
        {Text("~w", [Pid]), Name, M, Function, Frames}
    end,
[Describe(Pid, M) || M <- Old, Pid <- erlang:processes(), erlang:check_process_code(Pid, M) =:= true].
